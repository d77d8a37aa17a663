"""Would G learn from another D? A copy of it, trained for a while against a smooth discriminator that starts afresh."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

WIDTH = 16
BATCH_SIZE = 32
LR, BETAS = 2e-3, (0.0, 0.9)
AVERAGE = 0.98  # of G's weights, as short runs need it


def teach(game: Any, steps: int, n: int) -> Tensor:
    """Return `n` pictures of a copy of the game's generator after `steps` steps against a fresh D.

    The discriminator is spectrally normalized and learns by the hinge loss (Miyato et al. 2018,
    https://arxiv.org/abs/1802.05957); both players have Adam. The game itself stays as it is.
    """
    with game.view.at(game.steps_done) as view, torch.enable_grad():
        g = copy.deepcopy(game.generator).requires_grad_(True).train()
        average = copy.deepcopy(g).requires_grad_(False).eval()
        d = _build_critic(view.data.shape[0]).to(next(g.parameters()).device)
        optimizers = [torch.optim.Adam(player.parameters(), lr=LR, betas=BETAS) for player in (d, g)]
        for _ in range(steps):
            real = view.real(BATCH_SIZE)
            with torch.no_grad():
                fake = g(view.noise(BATCH_SIZE), real.labels)
            _update(optimizers[0], (1 - d(real.x)).relu().mean() + (1 + d(fake)).relu().mean())
            _update(optimizers[1], -d(g(view.noise(BATCH_SIZE), real.labels)).mean())
            _follow(average, g)
        with torch.no_grad():
            labels = view.real(n).labels
            return torch.cat([average(*part) for part in _parts(view.noise(n), labels)]).cpu()


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
