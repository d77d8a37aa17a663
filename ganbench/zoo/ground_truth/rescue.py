"""Would G learn from another D, and can it be moved at all? Copies of it, trained against a fresh smooth discriminator."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

WIDTH = 16
BATCH_SIZE = 32
LR, BETAS = 2e-3, (0.0, 0.9)
AVERAGE = 0.98  # of G's weights, as short runs need it
REACH_STEPS = 20  # after which it is measured how far G's own optimizer has moved it


def teach(game: Any, steps: int, n: int) -> Tensor:
    """Return `n` pictures of a copy of the game's generator after `steps` steps against a fresh D.

    The discriminator is spectrally normalized and learns by the hinge loss (Miyato et al. 2018,
    https://arxiv.org/abs/1802.05957); both players have Adam. The game itself stays as it is.
    """
    with game.view.at(game.steps_done) as view, torch.enable_grad():
        g = copy.deepcopy(game.generator).requires_grad_(True).train()
        average = copy.deepcopy(g).requires_grad_(False).eval()
        for _ in _train(g, torch.optim.Adam(g.parameters(), lr=LR, betas=BETAS), view, steps):
            _follow(average, g)
        with torch.no_grad():
            labels = view.real(n).labels
            return torch.cat([average(*part) for part in _parts(view.noise(n), labels)]).cpu()


def reach(game: Any) -> float:
    """Return how far G's own optimizer would take its samples in the whole budget, over the distance of two real ones.

    A G that `teach` can teach may be one that its own optimizer does not move, whatever D says. A copy of both makes a
    few steps against such a fresh D, at the learning rates that the run began with; what is measured is scaled to the
    budget, as if G went straight on. The game itself stays as it is.
    """
    fork = game.fork(0, lr_decay="constant")
    g = fork.generator.eval()  # where statistics of batches are followed, they would move samples as well
    with game.view.at(game.steps_done) as view, torch.enable_grad():
        real, z = view.real(BATCH_SIZE), view.noise(BATCH_SIZE)
        before = g(z, real.labels).detach()
        for _ in _train(g, fork.optimizer_g, view, REACH_STEPS):
            pass
        moved = (g(z, real.labels).detach() - before).flatten(1).norm(dim=1).mean()
        return float(moved / torch.pdist(real.x.flatten(1)).mean() * game.steps / REACH_STEPS)


def _train(g: nn.Module, optimizer: torch.optim.Optimizer, view: Any, steps: int) -> Iterator[None]:
    """Train G by an optimizer of its weights against a fresh D; yield after each step."""
    d = _build_critic(view.data.shape[0]).to(next(g.parameters()).device)
    optimizer_d = torch.optim.Adam(d.parameters(), lr=LR, betas=BETAS)
    for _ in range(steps):
        real = view.real(BATCH_SIZE)
        with torch.no_grad():
            fake = g(view.noise(BATCH_SIZE), real.labels)
        _update(optimizer_d, (1 - d(real.x)).relu().mean() + (1 + d(fake)).relu().mean())
        _update(optimizer, -d(g(view.noise(BATCH_SIZE), real.labels)).mean())
        yield


def _update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


@torch.no_grad()
def _follow(average: nn.Module, g: nn.Module) -> None:
    for mean, weight in zip(average.parameters(), g.parameters(), strict=True):
        mean.lerp_(weight, 1 - AVERAGE)
    for kept, buffer in zip(average.buffers(), g.buffers(), strict=True):
        kept.copy_(buffer)


def _parts(z: Tensor, labels: Tensor | None) -> list[tuple[Tensor, Tensor | None]]:
    chunks = z.split(250)
    return list(zip(chunks, [None] * len(chunks) if labels is None else labels.split(250), strict=True))


def _build_critic(channels: int) -> nn.Module:
    """Logits (N,) of pictures of any side."""
    layers: list[nn.Module] = []
    for width in (WIDTH, 2 * WIDTH, 4 * WIDTH):
        layers += [spectral_norm(nn.Conv2d(channels, width, 4, stride=2, padding=1)), nn.LeakyReLU(0.2)]
        channels = width
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(3), nn.Flatten(), spectral_norm(nn.Linear(9 * channels, 1)), nn.Flatten(0)
    )
