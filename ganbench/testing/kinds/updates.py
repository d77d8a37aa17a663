"""Checks of update rules, on a small game."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...contract.components import Loss
from ...contract.outputs import DiscriminatorFn
from ...contract.records import Batch, ComponentRef, DataSpec, Training
from ...training.data import DeviceDataset
from ...training.game import GAN
from ..candidate import Candidate
from ..check import ContractError, behaviour, check

STEPS = 3
ADAM = ComponentRef("adam", {"lr": 1e-2})


class _Generator(nn.Module):
    latent_dim = 2

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 8), nn.Softplus(), nn.Linear(8, 2))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        samples: Tensor = self.net(z)
        return samples


class _Discriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 8), nn.Softplus(), nn.Linear(8, 1))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        logits: Tensor = self.net(x).squeeze(1)
        return logits


class _NonSaturating(Loss):
    def discriminator(self, d: DiscriminatorFn, real: Batch, fake: Batch) -> Tensor:
        return functional.softplus(-d(real)).mean() + functional.softplus(d(fake)).mean()

    def generator(self, d: DiscriminatorFn, real: Batch, fake: Batch) -> Tensor:
        return functional.softplus(-d(fake)).mean()


def small_game(candidate: Candidate) -> GAN:
    """Return a small game with the update rule, always the same."""
    torch.manual_seed(0)
    generator, discriminator = _Generator(), _Discriminator()
    data = DeviceDataset(Batch(torch.randn(64, 2) + 3), DataSpec("points", (2,)), torch.device("cpu"))
    settings = Training(100, 16, ADAM, ADAM, update=ComponentRef(candidate.entry.name))

    def build(kind: str, ref: ComponentRef, *given: Any) -> Any:
        return candidate.build() if kind == "update" else candidate.registry.build(kind, ref, *given)

    return GAN(generator, discriminator, _NonSaturating(), {}, data, settings, seed=0, build=build)


@check("update", basic=True)
def returns_both_losses(candidate: Candidate) -> None:
    """A step returns the losses of D and of G: two finite scalars without a graph."""
    gan = small_game(candidate)
    losses = gan.update.step(gan)
    shown = repr(losses)[:80]
    sound = isinstance(losses, tuple | list) and len(losses) == 2
    if not sound or not all(isinstance(loss, Tensor) and loss.shape == () for loss in losses):
        raise ContractError(
            f"a step returns {shown}, where two scalar tensors are expected",
            cause="a missing return, or losses that were turned into numbers",
            fix="return loss_d, loss_g as the game's methods return them",
        )
    if any(loss.requires_grad or not loss.isfinite() for loss in losses):
        raise ContractError(
            f"a step returns {shown}, which has a graph or is not finite",
            cause="a loss that was computed again",
            fix="return the losses as the game's methods return them, or detach() them",
        )


@check("update")
def changes_both_players(candidate: Candidate) -> None:
    """Some steps change every weight of both players, keep them finite and trainable, and count one update of D each."""
    gan = small_game(candidate)
    before = {name: weight.clone() for name, weight in gan.weights().items()}
    for _ in range(STEPS):
        gan.step()
    for name, weight in gan.weights().items():
        if torch.equal(weight, before[name]) or not weight.isfinite().all():
            raise ContractError(
                f"after {STEPS} steps the weight {name!r} is as before, or not finite",
                cause="a player is differentiated and not updated, or its weights are restored last",
                fix="call update_discriminator() and update_generator() once their gradients are there",
            )
    if not all(weight.requires_grad for weight in (*gan.d_weights, *gan.g_weights)):
        raise ContractError(
            "leaves a weight frozen",
            cause="requires_grad_(False) without the way back",
            fix="restore requires_grad in a finally block",
        )
    if gan.d_updates < STEPS:
        raise ContractError(
            f"counts {gan.d_updates} updates of D in {STEPS} steps",
            cause="every update is called with lookahead=True, or D's optimizer is called directly",
            fix="let the last update of a step be update_discriminator()",
        )


@check("update")
def resumes_its_state(candidate: Candidate) -> None:
    """Built anew and given the state, it goes on bit for bit."""
    gan, again = small_game(candidate), small_game(candidate)
    for _ in range(STEPS):
        gan.step()
    again.load_state_dict(gan.state_dict())
    for game in (gan, again):
        for _ in range(STEPS):
            game.step()
    others = again.weights()
    for name, weight in gan.weights().items():
        if not torch.equal(weight, others[name]):
            raise ContractError(
                f"goes on otherwise from its state than without a break: {name!r} differs",
                cause="something is remembered that is neither a plain attribute nor in state_dict",
                fix="keep tensors in plain attributes, lists or dicts, or offer state_dict and load_state_dict",
            )


@behaviour("update")
def behaves(candidate: Candidate) -> Any:
    """Return the losses and the weights after some steps."""
    gan = small_game(candidate)
    losses = [[float(loss) for loss in gan.step()] for _ in range(STEPS)]
    return [losses, [weight.flatten().tolist() for weight in gan.weights().values()]]
