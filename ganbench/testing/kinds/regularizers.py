"""Checks of regularizers, on a small smooth discriminator."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, get_args

import torch
from torch import Tensor, nn

from ...contract.adapt import provides
from ...contract.components import Regularizer
from ...contract.records import Batch, Player
from ...training.discriminator import BoundDiscriminator
from ..candidate import Candidate
from ..check import ContractError, NotApplicable, behaviour, check
from .members import nearest_own_member

ROUNDING = 1e-5  # a penalty below this counts as zero


class SmallD(nn.Module):
    """A small D, twice differentiable, for the first data that the regularizer does not skip."""

    def __init__(self, candidate: Candidate, seed: int) -> None:
        super().__init__()
        width = math.prod(candidate.specs()[0].shape)
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(width, 8), nn.Softplus(), nn.Linear(8, 1))
        stream = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(torch.randn(weight.shape, generator=stream))

    def forward(self, batch: Batch) -> Tensor:
        logits: Tensor = self.net(batch.x).squeeze(1)
        return logits


def batches(candidate: Candidate, n: int = 16, seed: int = 0) -> tuple[Batch, Batch]:
    """Return `n` real and `n` generated samples, well separated; the generated ones require a gradient."""
    stream = torch.Generator().manual_seed(seed)
    real, fake = torch.randn(2, n, *candidate.specs()[0].shape, generator=stream)
    return Batch(real + 1), Batch((fake - 1).requires_grad_(True))


class SmallG(nn.Module):
    """A small G, from four numbers of noise, for the first data that the regularizer does not skip."""

    def __init__(self, candidate: Candidate) -> None:
        super().__init__()
        self.shape = candidate.specs()[0].shape
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, math.prod(self.shape)))
        stream = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(torch.randn(weight.shape, generator=stream))

    def generate(self, z: Tensor, given: Batch) -> Batch:
        """Return samples from noise, under the labels and conditions of a batch."""
        return Batch(self.net(z).unflatten(1, self.shape), given.labels, given.condition, z)


class TriedPenalty:
    """The penalty of a regularizer, with whatever it takes beside D and two batches.

    Attributes:
        regularizer: The regularizer.
        g: The generator behind `generate`.
        takes: What it takes beside them: `generate`, `module`.
    """

    def __init__(self, candidate: Candidate, regularizer: Regularizer) -> None:
        self.regularizer, self.g, self._d = regularizer, SmallG(candidate), SmallD(candidate, 0)
        self.takes = {"generate", "module"} & inspect.signature(regularizer.penalty).parameters.keys()

    def __call__(self, run: Callable[[Batch], Tensor], real: Batch, fake: Batch) -> Tensor:
        """Return the penalty for D as a plain function."""
        offered: dict[str, Any] = {"generate": self.g.generate, "module": self.network(run)}
        if "generate" in self.takes:
            stream = torch.Generator().manual_seed(1)
            fake = Batch(fake.x, fake.labels, fake.condition, torch.randn(len(fake), 4, generator=stream))
        more = {name: offered[name] for name in self.takes}
        return self.regularizer.penalty(BoundDiscriminator(run), real, fake, **more)

    def network(self, run: Callable[[Batch], Tensor]) -> nn.Module:
        """Return the network of the regularizer's player."""
        if self.regularizer.player == "generator":
            return self.g
        return run if isinstance(run, nn.Module) else self._d


def penalty_of(candidate: Candidate) -> TriedPenalty:
    """Return the regularizer's penalty. Raise NotApplicable if it has none."""
    regularizer: Regularizer = candidate.build()
    if not provides(regularizer, "penalty"):
        raise NotApplicable("it has no penalty(d, real, fake), only after_step(module)")
    return TriedPenalty(candidate, regularizer)


@check("regularizer", basic=True)
def has_a_penalty_or_after_step(candidate: Candidate) -> None:
    """It offers `penalty` or `after_step`, for one of the players, every so many updates."""
    regularizer: Regularizer = candidate.build()
    if not provides(regularizer, "penalty") and not provides(regularizer, "after_step"):
        near = nearest_own_member(candidate, regularizer, ("penalty", "after_step"))
        raise ContractError(
            "offers neither penalty(d, real, fake) nor after_step(module)" + (f", but {near!r}" if near else ""),
            cause=f"{near!r} is misspelt" if near else "the method is missing or has another name",
            fix="name it `penalty` if it returns a scalar, or `after_step` if it changes weights in place",
        )
    if (player := regularizer.player) not in get_args(Player):
        raise ContractError(
            f"declares player = {player!r}",
            cause="there is no such player",
            fix='declare player = "discriminator" or player = "generator"',
        )
    every = regularizer.every
    if not isinstance(every, int) or every < 1:
        raise ContractError(
            f"declares every = {every!r}",
            cause="an interval that is no integer",
            fix="declare a positive int: 1 applies it at each update of its player",
        )


@check("regularizer", basic=True)
def gives_a_scalar_that_is_not_negative(candidate: Candidate) -> None:
    """Its penalty is a finite float32 scalar of at least zero, unless it rewards, for batches of 1, 2 and 64 and any D."""
    penalty = penalty_of(candidate)
    for seed, n in enumerate((1, 2, 64)):
        value = penalty(SmallD(candidate, seed), *batches(candidate, n, seed))
        if not isinstance(value, Tensor) or value.shape != () or value.dtype != torch.float32:
            shown = f"shape {tuple(value.shape)} of {value.dtype}" if isinstance(value, Tensor) else repr(value)
            raise ContractError(
                f"its penalty is {shown} for a batch of {n}, where a float32 scalar is expected",
                cause="the mean over the batch is missing, or a number was taken out with .item()",
                fix="return (...).mean() as a tensor",
            )
        if not torch.isfinite(value) or (value < 0 and not penalty.regularizer.may_be_negative):
            raise ContractError(
                f"its penalty is {float(value):.3g} for a batch of {n}",
                cause="a wrong sign, or a difference that should be squared",
                fix="return a penalty of at least zero, or declare may_be_negative = True where it rewards",
            )


@check("regularizer")
def is_zero_where_its_theory_says(candidate: Candidate) -> None:
    """If it declares `zero_for`, the penalty is zero for that D, and not for others."""
    penalty = penalty_of(candidate)
    declared = getattr(candidate.entry.build, "zero_for", None)
    if declared is None:
        raise NotApplicable('it declares no zero_for ("flat": D is constant; "unit-slope": its gradient has norm 1)')
    examples = {
        "flat": lambda batch: 0 * batch.x.flatten(1).sum(1),
        "unit-slope": lambda batch: batch.x.flatten(1)[:, 0],
    }
    if declared not in examples:
        raise ContractError(
            f"declares zero_for = {declared!r}",
            cause="a case that the checks do not know",
            fix='declare "flat" (zero where D is constant) or "unit-slope" (zero where its gradient has norm 1)',
        )
    value = float(penalty(examples[declared], *batches(candidate)).detach())
    if abs(value) > ROUNDING:
        raise ContractError(
            f"its penalty is {value:.3g} for a {declared} D, where its theory says zero",
            cause="the target of the gradient norm, a missing square, or a constant that is added",
            fix="compare with the paper's formula, or correct zero_for",
        )
    if float(penalty(SmallD(candidate, 0), *batches(candidate)).detach()) <= ROUNDING:
        raise ContractError(
            "its penalty is zero for other discriminators as well",
            cause="a gradient with respect to a detached input",
            fix="use ganbench.input_gradient(d, batch)",
        )


@check("regularizer")
def its_gradient_reaches_its_player(candidate: Candidate) -> None:
    """The gradient of its penalty reaches D's weights (second order, for gradient penalties), or G's samples."""
    penalty = penalty_of(candidate)
    d, (real, fake) = SmallD(candidate, 0), batches(candidate)
    value = penalty(d, real, fake)
    for_g = penalty.regularizer.player == "generator"
    wanted = [fake.x]
    if not for_g or penalty.takes:
        wanted = [weight for name, weight in penalty.network(d).named_parameters() if name.endswith("weight")]
    gradients = torch.autograd.grad(value, wanted, allow_unused=True) if value.requires_grad else [None]
    reaches = [g is not None and bool(torch.isfinite(g).all() and g.any()) for g in gradients]
    # A penalty of weights may be of some layers alone.
    if not (any(reaches) if "module" in penalty.takes else all(reaches)):
        raise ContractError(
            f"the gradient of its penalty does not reach {'the generated samples' if for_g else 'the weights of D'}",
            cause="an input gradient without create_graph=True, or a detach()",
            fix="use ganbench.input_gradient(d, batch), which can be differentiated again",
        )


@check("regularizer")
def labels_travel_with_their_samples(candidate: Candidate) -> None:
    """Every batch that it passes to D has labels if the given ones have."""
    penalty = penalty_of(candidate)
    labels, (real, fake) = torch.arange(16), batches(candidate)
    d = SmallD(candidate, 0)

    def conditional(batch: Batch) -> Tensor:
        if batch.labels is None or len(batch.labels) != len(batch.x):
            raise ContractError(
                "passes samples to D without their labels",
                cause="a new Batch(x) without labels",
                fix="pass Batch(x, batch.labels)",
            )
        logits: Tensor = d(batch)
        return logits

    penalty(conditional, Batch(real.x, labels), Batch(fake.x, labels))


@check("regularizer")
def leaves_its_batches_alone(candidate: Candidate) -> None:
    """It changes neither the batches that it is given nor D's gradients."""
    penalty = penalty_of(candidate)
    d, (real, fake) = SmallD(candidate, 0), batches(candidate)
    before = real.x.clone(), fake.x.detach().clone()
    penalty(d, real, Batch(fake.x.detach()))
    if not (torch.equal(real.x, before[0]) and torch.equal(fake.x.detach(), before[1])):
        raise ContractError(
            "changes the samples that it is given",
            cause="an in-place operation on batch.x",
            fix="compute into a new tensor",
        )
    if real.x.requires_grad or any(weight.grad is not None for weight in d.parameters()):
        raise ContractError(
            "leaves gradients in D, or requires_grad on the real samples",
            cause="backward() or requires_grad_() called inside the penalty",
            fix="use ganbench.input_gradient(d, batch), and return the penalty without calling backward",
        )


@check("regularizer")
def changes_weights_in_place(candidate: Candidate) -> None:
    """Its `after_step` changes weights in place, and leaves them finite and trainable."""
    regularizer: Regularizer = candidate.build()
    if not provides(regularizer, "after_step"):
        raise NotApplicable("it offers no after_step(module)")
    network = SmallD(candidate, 0)
    before = dict(network.named_parameters())
    values = {name: weight.detach().clone() for name, weight in before.items()}
    regularizer.after_step(network)
    for name, weight in network.named_parameters():
        if weight is not before[name] or not weight.requires_grad or weight.grad_fn is not None:
            raise ContractError(
                f"replaces weight {name!r}, while the optimizer still has the old one",
                cause="an assignment of a new tensor, or an operation outside torch.no_grad()",
                fix="decorate after_step with @torch.no_grad() and use in-place operations, such as clamp_",
            )
        if not torch.isfinite(weight).all():
            raise ContractError(
                f"leaves weight {name!r} not finite",
                cause="a division by a norm that is zero",
                fix="add an epsilon",
            )
    if all(torch.equal(weight, values[name]) for name, weight in before.items()):
        raise ContractError(
            "after_step changes no weight of a network with weights of size 1",
            cause="it changes copies",
            fix="change the parameters of the given module in place",
        )


@behaviour("regularizer")
def behaves(candidate: Candidate) -> Any:
    """Return its penalty on a few samples, and sums of the weights after `after_step`."""
    regularizer: Regularizer = candidate.build()
    network = SmallD(candidate, 0)
    values = []
    if provides(regularizer, "penalty"):
        values.append(float(TriedPenalty(candidate, regularizer)(network, *batches(candidate)).detach()))
    if provides(regularizer, "after_step"):
        regularizer.after_step(network)
        values += [float(weight.detach().sum()) for weight in network.parameters()]
    return values
