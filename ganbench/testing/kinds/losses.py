"""What is asked of a loss."""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
from torch import Tensor, nn

from ...contract.adapt import provides
from ...contract.records import Batch
from ..candidate import Candidate
from ..check import BASICS, ContractError, NotApplicable, behaviour, check

EXTREME = 1e4  # logits that a run in trouble reaches


def first_value(batch: Batch) -> Tensor:
    """A toy D: the first value of a sample is its logit."""
    return batch.x.flatten(1)[:, 0]


class ToyData:
    """Samples of the first data that a loss serves, of which the toy D sees nothing but the first value."""

    def __init__(self, candidate: Candidate) -> None:
        self.shape = candidate.specs()[0].shape

    def full(self, n: int, value: float) -> Batch:
        """Return `n` samples of one value."""
        return Batch(torch.full((n, *self.shape), value))

    def uniform(self, n: int, labels: Tensor | None = None, sign: float = 1.0) -> Batch:
        """Return `n` samples drawn uniformly from [0, 1), or from (-1, 0]."""
        return Batch(sign * torch.rand(n, *self.shape), labels)

    def with_logits(self, *logits: float) -> Batch:
        """Return four samples for each logit, with a gradient."""
        x = torch.zeros(4 * len(logits), *self.shape)
        x.view(len(x), -1)[:, 0] = torch.tensor(logits).repeat_interleave(4)
        return Batch(x.requires_grad_(True))


def both(loss: Any) -> dict[str, Any]:
    return {"discriminator": loss.discriminator, "generator": loss.generator}


@check("loss", level=BASICS)
def gives_scalars(candidate: Candidate) -> None:
    """Both players' losses are finite float32 scalars, for batches of 1, 2 and 64."""
    loss = candidate.build()
    data = ToyData(candidate)
    for n in (1, 2, 64):
        real, fake = data.full(n, 1.0), data.full(n, -1.0)
        for player, value_of in both(loss).items():
            value = value_of(first_value, real, fake)
            if not isinstance(value, Tensor) or value.shape != () or value.dtype != torch.float32:
                shown = f"shape {tuple(value.shape)} of {value.dtype}" if isinstance(value, Tensor) else repr(value)
                raise ContractError(
                    f"the {player}'s loss is {shown} for a batch of {n}, where a float32 scalar is expected",
                    cause="the mean over the batch is missing, or a number was taken out with .item()",
                    fix="return (...).mean() as a tensor",
                )
            if not torch.isfinite(value):
                raise ContractError(
                    f"the {player}'s loss is {float(value)} at logits of +1 and -1, for a batch of {n}",
                    cause="a logarithm of a negative number, or a statistic of a single sample",
                    fix="work on logits with softplus or logsigmoid",
                )


@check("loss")
def is_finite_at_extreme_logits(candidate: Candidate) -> None:
    """Losses and their gradients are finite at logits of ±1e4."""
    loss = candidate.build()
    data = ToyData(candidate)
    for at_real, at_fake in itertools.product((-EXTREME, EXTREME), repeat=2):
        for player, value_of in both(loss).items():
            real, fake = data.with_logits(at_real), data.with_logits(at_fake)
            value = value_of(first_value, real, fake)
            gradients = torch.autograd.grad(value, [real.x, fake.x], allow_unused=True)
            if not all(torch.isfinite(t).all() for t in (value, *gradients) if t is not None):
                raise ContractError(
                    f"the {player}'s loss or its gradient is not finite where D gives real samples {at_real:g} and "
                    f"generated ones {at_fake:g}",
                    cause="log(sigmoid(x)) or exp(x), which overflow",
                    fix="use F.softplus(x) for log(1 + exp(x)) and F.logsigmoid(x) for log(sigmoid(x))",
                )


@check("loss")
def sends_g_towards_real(candidate: Candidate) -> None:
    """A step of G against its loss's gradient raises D's logits of generated samples."""
    loss = candidate.build()
    data = ToyData(candidate)
    real, fake = data.with_logits(0.5), data.with_logits(-0.5)
    slope = torch.autograd.grad(loss.generator(first_value, real, fake), fake.x, allow_unused=True)[0]
    if slope is None or not slope.flatten(1)[:, 0].all():
        raise ContractError(
            "G gets no gradient from generated samples, or from some of them none",
            cause="generator() does not use d(fake), or detaches it",
            fix="compute G's loss from d(fake)",
        )
    if (slope.flatten(1)[:, 0] > 0).any():
        raise ContractError(
            "sends G away from the real samples: its loss falls as D finds generated samples less real",
            cause="a sign: G minimizes what generator() returns",
            fix="negate it; generator() must fall as d(fake) rises",
        )


@check("loss")
def teaches_d_to_tell_them_apart(candidate: Candidate) -> None:
    """A step of D against its loss's gradient raises logits of real samples and lowers those of generated ones."""
    loss = candidate.build()
    data = ToyData(candidate)
    real, fake = (
        data.with_logits(0.9),
        data.with_logits(0.1),
    )  # between the targets of a least-squares loss, whichever it uses
    value = loss.discriminator(first_value, real, fake)
    at_real, at_fake = torch.autograd.grad(value, [real.x, fake.x], allow_unused=True)
    for name, slope, sign in (("real", at_real, -1), ("generated", at_fake, 1)):
        if slope is None or not slope.flatten(1)[:, 0].all():
            raise ContractError(
                f"D learns nothing from {name} samples, or from some of them",
                cause="discriminator() does not use them, or detaches their logits",
                fix="compute D's loss from d(real) and d(fake)",
            )
        if (sign * slope.flatten(1)[:, 0] < 0).any():
            raise ContractError(
                f"teaches D the wrong way round about {name} samples",
                cause="a sign, or real and fake exchanged",
                fix="discriminator() must fall as d(real) rises and d(fake) falls",
            )


@check("loss")
def gradients_reach_the_player_alone(candidate: Candidate) -> None:
    """D's loss reaches D's weights and G's loss G's; the frozen player gets no gradient."""
    loss = candidate.build()
    data = ToyData(candidate)
    width = math.prod(data.shape)
    g, d = nn.Linear(2, width), nn.Linear(width, 1)
    real = Batch(torch.randn(8, *data.shape))

    def discriminator(batch: Batch) -> Tensor:
        return d(batch.x.flatten(1)).squeeze(1)

    def generated() -> Batch:
        return Batch(g(torch.randn(8, 2)).view(8, *data.shape))

    with torch.no_grad():
        fake = generated()
    loss.discriminator(discriminator, real, fake).backward()
    _expect_gradient("discriminator", d, g)
    d.zero_grad(set_to_none=True)
    d.requires_grad_(False)
    loss.generator(discriminator, real, generated()).backward()
    _expect_gradient("generator", g, d)


def _expect_gradient(player: str, learns: nn.Module, frozen: nn.Module) -> None:
    if not any(w.grad is not None and w.grad.any() for w in learns.parameters()):
        raise ContractError(
            f"no gradient of the {player}'s loss reaches the {player}'s weights",
            cause="the logits are detached on the way",
            fix="compute the loss from what d(...) returns",
        )
    if any(w.grad is not None for w in frozen.parameters()):
        raise ContractError(
            f"the {player}'s loss leaves a gradient in the other player, which is frozen",
            cause="the loss turns requires_grad on, or calls backward itself",
            fix="return the loss and leave gradients to the training loop",
        )


@check("loss")
def is_a_mean_over_the_batch(candidate: Candidate) -> None:
    """A batch of the same samples twice has the same loss: its size is no matter of the loss's."""
    loss = candidate.build()
    data = ToyData(candidate)
    once, twice = (-1.0, 0.3, 2.0), (-2.0, 0.1, 1.0)
    for player, value_of in both(loss).items():
        small = float(value_of(first_value, data.with_logits(*once), data.with_logits(*twice)).detach())
        large = float(value_of(first_value, data.with_logits(*once, *once), data.with_logits(*twice, *twice)).detach())
        if abs(large - small) > 0.5 * max(0.1, abs(small)):  # twice as much, not what a loss may draw at random
            raise ContractError(
                f"the {player}'s loss is {small:.4g} for a batch and {large:.4g} for the same samples twice",
                cause="a sum over the batch",
                fix="return (...).mean(), so that a learning rate means the same at every batch size",
            )


@check("loss")
def labels_travel_with_their_samples(candidate: Candidate) -> None:
    """Whatever it shows to D carries the labels that came with it, so that conditional networks work."""
    loss = candidate.build()
    data = ToyData(candidate)
    labels = torch.arange(8)
    real, fake = data.uniform(8, labels), data.uniform(8, labels, sign=-1.0)

    def conditional(batch: Batch) -> Tensor:
        if batch.labels is None or len(batch.labels) != len(batch.x):
            raise ContractError(
                "shows samples to D without their labels",
                cause="Batch(x) made anew from batch.x",
                fix="hand on the batch as it came, or Batch(x, batch.labels)",
            )
        return first_value(batch)

    for value_of in both(loss).values():
        value_of(conditional, real, fake)


@check("loss")
def leaves_its_batches_alone(candidate: Candidate) -> None:
    """The batches it is given are the same afterwards."""
    loss = candidate.build()
    data = ToyData(candidate)
    for value_of in both(loss).values():
        real, fake = data.uniform(8), data.uniform(8)
        before = real.x.clone(), fake.x.clone()
        value_of(first_value, real, fake)
        if not (torch.equal(real.x, before[0]) and torch.equal(fake.x, before[1])):
            raise ContractError(
                "changes the samples that it is given",
                cause="an operation in place, such as add_ or mul_, on batch.x",
                fix="compute into a new tensor",
            )


@check("loss")
def probabilities_are_probabilities(candidate: Candidate) -> None:
    """Where it reads D(x) out of logits itself, it gives values in [0, 1] that rise with the logit."""
    loss = candidate.build()
    if not provides(loss, "probabilities"):
        raise NotApplicable("it offers no probabilities(real, fake): D(x) is the sigmoid of the logit")
    logits = torch.linspace(-20, 20, 41)
    real, fake = loss.probabilities(logits, torch.zeros(41))
    if real.shape != logits.shape or fake.shape != logits.shape:
        raise ContractError(
            f"probabilities() gives shapes {tuple(real.shape)} and {tuple(fake.shape)} for two of {tuple(logits.shape)}",
            cause="a mean over the batch",
            fix="return a probability for each logit",
        )
    if real.min() < 0 or real.max() > 1 or (real.diff() < -1e-6).any():
        raise ContractError(
            "probabilities() leaves [0, 1] or falls as the logit rises",
            cause="the formula reads logits of another sign or scale",
            fix="return values in [0, 1], larger where D is surer that a sample is real",
        )


@behaviour("loss")
def behaves(candidate: Candidate) -> Any:
    """Its values on a few logits."""
    loss = candidate.build()
    data = ToyData(candidate)
    real, fake = data.with_logits(-1.0, 0.3, 2.0), data.with_logits(-2.0, 0.1, 1.0)
    return [float(value_of(first_value, real, fake).detach()) for value_of in both(loss).values()]
