"""Checks of losses, on a toy discriminator whose logit is the first value of a sample."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...contract.adapt import provides
from ...contract.components import Loss
from ...contract.records import Batch
from ...training.discriminator import BoundDiscriminator
from ..candidate import Candidate
from ..check import ContractError, NotApplicable, behaviour, check

EXTREME_LOGIT = 1e4  # as reached by a run that diverges

LossFn = Callable[[Callable[[Batch], Tensor], Batch, Batch], Tensor]  # of D as a plain function, real, fake


def first_value(batch: Batch) -> Tensor:
    """Return the first value of each sample as its logit: a toy discriminator."""
    return batch.x.flatten(1)[:, 0]


class ToyData:
    """Samples of the first data that the loss does not skip, with labels where that has classes."""

    def __init__(self, candidate: Candidate) -> None:
        self.spec = candidate.specs()[0]
        self.shape = self.spec.shape

    def full(self, n: int, value: float) -> Batch:
        """Return `n` samples that are constant."""
        return self.labelled(torch.full((n, *self.shape), value))

    def uniform(self, n: int, labels: Tensor | None = None, sign: float = 1.0) -> Batch:
        """Return `n` samples drawn uniformly from [0, 1), or from (-1, 0]."""
        x = sign * torch.rand(n, *self.shape)
        return self.labelled(x) if labels is None else Batch(x, labels)

    def with_logits(self, *logits: float) -> Batch:
        """Return four samples for each logit of the toy discriminator; they require a gradient."""
        x = torch.zeros(4 * len(logits), *self.shape)
        x.view(len(x), -1)[:, 0] = torch.tensor(logits).repeat_interleave(4)
        return self.labelled(x.requires_grad_(True))

    def labelled(self, x: Tensor) -> Batch:
        """Return samples with labels, where the data has classes."""
        return Batch(x, torch.arange(len(x)) % self.spec.classes if self.spec.classes else None)


def returned_for(loss: Loss, run: Callable[[Batch], Tensor]) -> Callable[[Batch], Any]:
    """Return D as a plain function, which returns what the loss needs of it beside its logits too."""
    if not loss.needs:
        return run
    return lambda batch: {"logits": run(batch), **describe(batch, loss.needs)}


def describe(batch: Batch, names: Sequence[str]) -> dict[str, Tensor]:
    """Return vectors (N, 16) under each name, of all values of a sample but the one that is its logit, or of its label."""
    others = batch.x.flatten(1)[:, 1:].sum(1)
    directions = torch.linspace(-1, 1, 16)
    labels = torch.zeros(len(others)) if batch.labels is None else batch.labels.to(others.dtype)
    vectors = {"proxy": torch.cos(labels[:, None] * directions * 7)}
    return {name: vectors.get(name, 1 + others[:, None] * directions) for name in names}


def loss_functions(loss: Loss) -> dict[str, LossFn]:
    """Return the loss of each player, by the player's name."""

    def of_player(player: str) -> LossFn:
        return lambda run, real, fake: getattr(loss, player)(BoundDiscriminator(returned_for(loss, run)), real, fake)

    return {player: of_player(player) for player in ("discriminator", "generator")}


@check("loss", basic=True)
def gives_scalars(candidate: Candidate) -> None:
    """Both players' losses are finite float32 scalars, for batches of 1, 2 and 64."""
    loss: Loss = candidate.build()
    data = ToyData(candidate)
    for n in (1, 2, 64):
        real, fake = data.full(n, 1.0), data.full(n, -1.0)
        for player, value_of in loss_functions(loss).items():
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


@check("loss", needs=("gradients-reach-the-player-alone",))
def is_finite_at_extreme_logits(candidate: Candidate) -> None:
    """Losses and their gradients are finite at logits of ±1e4."""
    loss: Loss = candidate.build()
    data = ToyData(candidate)
    for at_real, at_fake in itertools.product((-EXTREME_LOGIT, EXTREME_LOGIT), repeat=2):
        for player, value_of in loss_functions(loss).items():
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


@check("loss", needs=("gradients-reach-the-player-alone",))
def trains_g_towards_real(candidate: Candidate) -> None:
    """A gradient step on G's loss raises D's logits of generated samples."""
    loss: Loss = candidate.build()
    data = ToyData(candidate)
    real, fake = data.with_logits(0.5), data.with_logits(-0.5)
    value = loss_functions(loss)["generator"](first_value, real, fake)
    (slope,) = torch.autograd.grad(value, fake.x, allow_unused=True)
    if slope is None or not slope.flatten(1)[:, 0].all():
        raise ContractError(
            "some generated samples give G no gradient",
            cause="generator() does not use all of d(fake), or detaches it",
            fix="compute G's loss from d(fake)",
        )
    if (slope.flatten(1)[:, 0] > 0).any():
        raise ContractError(
            "trains G away from the real samples: its loss falls as D's logits of generated samples fall",
            cause="a wrong sign: G minimizes what generator() returns",
            fix="negate it: generator() must fall as d(fake) rises",
        )


@check("loss", needs=("gradients-reach-the-player-alone", "trains-g-towards-real"))
def d_teaches_g(candidate: Candidate) -> None:
    """The gradient of G's loss passes through D's logits of generated samples, whatever else the loss holds."""
    loss: Loss = candidate.build()
    data = ToyData(candidate)
    real, fake = data.with_logits(0.5), data.with_logits(-0.5)
    given: list[Tensor] = []

    def discriminator(batch: Batch) -> Tensor:
        logits = first_value(batch).detach().requires_grad_()
        given.append(logits)
        return logits

    value = loss_functions(loss)["generator"](discriminator, real, fake)
    gradients = torch.autograd.grad(value, given, allow_unused=True) if value.requires_grad and given else ()
    if not any(gradient is not None and gradient.any() for gradient in gradients):
        raise ContractError(
            "no gradient of the generator's loss passes through D: G learns from something else alone",
            cause="d(fake) is computed under no_grad, or detached",
            fix="compute the adversarial term from what d(fake) returns",
        )


@check("loss", needs=("gradients-reach-the-player-alone",))
def trains_d_to_separate(candidate: Candidate) -> None:
    """A gradient step on D's loss raises logits of real samples and lowers those of generated ones."""
    loss: Loss = candidate.build()
    data = ToyData(candidate)
    real, fake = data.with_logits(0.9), data.with_logits(0.1)  # between the targets of any least-squares loss
    value = loss_functions(loss)["discriminator"](first_value, real, fake)
    at_real, at_fake = torch.autograd.grad(value, [real.x, fake.x], allow_unused=True)
    for name, slope, sign in (("real", at_real, -1), ("generated", at_fake, 1)):
        if slope is None or not slope.flatten(1)[:, 0].all():
            raise ContractError(
                f"some {name} samples give D no gradient",
                cause="discriminator() does not use all of them, or detaches their logits",
                fix="compute D's loss from d(real) and d(fake)",
            )
        if (sign * slope.flatten(1)[:, 0] < 0).any():
            raise ContractError(
                f"trains D in the wrong direction on {name} samples",
                cause="a wrong sign, or real and fake exchanged",
                fix="discriminator() must fall as d(real) rises and d(fake) falls",
            )


@check("loss")
def gradients_reach_the_player_alone(candidate: Candidate) -> None:
    """D's loss reaches D's weights and G's loss G's; the frozen player gets no gradient."""
    loss: Loss = candidate.build()
    data = ToyData(candidate)
    width = math.prod(data.shape)
    g, d = nn.Linear(2, width), nn.Linear(width, 1)
    real = data.labelled(torch.randn(8, *data.shape))

    def discriminator(batch: Batch) -> Tensor:
        return d(batch.x.flatten(1)).squeeze(1)

    def generated() -> Batch:
        return data.labelled(g(torch.randn(8, 2)).view(8, *data.shape))

    with torch.no_grad():
        fake = generated()
    value_of = loss_functions(loss)
    _backward("discriminator", value_of["discriminator"](discriminator, real, fake))
    _expect_gradient("discriminator", d, g)
    d.zero_grad(set_to_none=True)
    d.requires_grad_(False)
    _backward("generator", value_of["generator"](discriminator, real, generated()))
    _expect_gradient("generator", g, d)


def _backward(player: str, value: Tensor) -> None:
    if not value.requires_grad:
        raise _no_gradient(player)
    value.backward()


def _no_gradient(player: str) -> ContractError:
    return ContractError(
        f"no gradient of the {player}'s loss reaches the {player}'s weights",
        cause="the logits are detached, or what is done with them has no slope: a weight of 0, a clamp, sign() or round()",
        fix="compute the loss from what d(...) returns, by operations with a gradient",
    )


def _expect_gradient(player: str, trained: nn.Module, frozen: nn.Module) -> None:
    if not any(w.grad is not None and w.grad.any() for w in trained.parameters()):
        raise _no_gradient(player)
    if any(w.grad is not None for w in frozen.parameters()):
        raise ContractError(
            f"the {player}'s loss leaves a gradient in the other player, which is frozen",
            cause="the loss turns requires_grad on, or calls backward itself",
            fix="return the loss and leave gradients to the training loop",
        )


@check("loss")
def is_a_mean_over_the_batch(candidate: Candidate) -> None:
    """Repeating the samples of a batch does not change the loss: it does not depend on the batch size."""
    loss: Loss = candidate.build()
    data = ToyData(candidate)
    once, twice = (-1.0, 0.3, 2.0), (-2.0, 0.1, 1.0)
    for player, value_of in loss_functions(loss).items():
        small = float(value_of(first_value, data.with_logits(*once), data.with_logits(*twice)).detach())
        large = float(value_of(first_value, data.with_logits(*once, *once), data.with_logits(*twice, *twice)).detach())
        if abs(large - small) > 0.5 * max(0.1, abs(small)):  # a sum doubles; a loss with noise of its own varies less
            raise ContractError(
                f"the {player}'s loss is {small:.4g} for a batch and {large:.4g} for the same samples repeated",
                cause="a sum over the batch",
                fix="return (...).mean(), so that the learning rate does not depend on the batch size",
            )


@check("loss")
def labels_travel_with_their_samples(candidate: Candidate) -> None:
    """Every batch that it passes to D has labels if the given ones have, so that conditional networks work."""
    loss: Loss = candidate.build()
    data = ToyData(candidate)
    labels = torch.arange(8)
    real, fake = data.uniform(8, labels), data.uniform(8, labels, sign=-1.0)

    def conditional(batch: Batch) -> Tensor:
        if batch.labels is None or len(batch.labels) != len(batch.x):
            raise ContractError(
                "passes samples to D without their labels",
                cause="a new Batch(x) without labels",
                fix="pass the batch as it is, or Batch(x, batch.labels)",
            )
        return first_value(batch)

    for value_of in loss_functions(loss).values():
        value_of(conditional, real, fake)


@check("loss")
def leaves_its_batches_alone(candidate: Candidate) -> None:
    """It does not change the batches that it is given."""
    loss: Loss = candidate.build()
    data = ToyData(candidate)
    for value_of in loss_functions(loss).values():
        real, fake = data.uniform(8), data.uniform(8)
        before = real.x.clone(), fake.x.clone()
        value_of(first_value, real, fake)
        if not (torch.equal(real.x, before[0]) and torch.equal(fake.x, before[1])):
            raise ContractError(
                "changes the samples that it is given",
                cause="an in-place operation, such as add_ or mul_, on batch.x",
                fix="compute into a new tensor",
            )


@check("loss")
def probabilities_are_probabilities(candidate: Candidate) -> None:
    """If it overrides `probabilities`, that returns values in [0, 1] that rise with the logit."""
    loss: Loss = candidate.build()
    if not provides(loss, "probabilities"):
        raise NotApplicable("it does not override probabilities(real, fake): D(x) is the sigmoid of the logit")
    logits = torch.linspace(-20, 20, 41)
    real, fake = loss.probabilities(logits, torch.zeros(41))
    if real.shape != logits.shape or fake.shape != logits.shape:
        raise ContractError(
            f"probabilities() returns shapes {tuple(real.shape)} and {tuple(fake.shape)} for two of {tuple(logits.shape)}",
            cause="a mean over the batch",
            fix="return a probability for each logit",
        )
    if real.min() < 0 or real.max() > 1 or (real.diff() < -1e-6).any():
        raise ContractError(
            "probabilities() leaves [0, 1] or falls as the logit rises",
            cause="the formula expects logits of another sign or scale",
            fix="return values in [0, 1], larger for samples that D takes for real with more confidence",
        )


@behaviour("loss")
def behaves(candidate: Candidate) -> Any:
    """Return its values for a few logits."""
    loss: Loss = candidate.build()
    data = ToyData(candidate)
    real, fake = data.with_logits(-1.0, 0.3, 2.0), data.with_logits(-2.0, 0.1, 1.0)
    return [float(value_of(first_value, real, fake).detach()) for value_of in loss_functions(loss).values()]
