"""What is asked of a regularizer."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ...contract.adapt import provides
from ...contract.records import Batch
from ..candidate import Candidate
from ..check import BASICS, ContractError, NotApplicable, behaviour, check

PLAYERS = ("discriminator", "generator")
ZERO = 1e-5  # a penalty below this, where its theory says zero, is rounding


class SmoothD(nn.Module):
    """A small D of the first data that a regularizer serves, twice differentiable in its input and its weights."""

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
    """Real and generated samples, apart from each other; gradients flow to the generated ones."""
    random = torch.Generator().manual_seed(seed)
    real, fake = torch.randn(2, n, *candidate.specs()[0].shape, generator=random)
    return Batch(real + 1), Batch((fake - 1).requires_grad_(True))


def penalty_of(candidate: Candidate) -> Any:
    """The regularizer's penalty. Raises NotApplicable for one that only acts after a step."""
    made = candidate.build()
    if not provides(made, "penalty"):
        raise NotApplicable("it offers no penalty(d, real, fake): it acts after a step")
    return made.penalty


@check("regularizer", level=BASICS)
def penalizes_or_acts(candidate: Candidate) -> None:
    """It offers `penalty` or `after_step`, for a player there is, at a whole number of updates."""
    made = candidate.build()
    if not provides(made, "penalty") and not provides(made, "after_step"):
        raise ContractError(
            "offers neither penalty(d, real, fake) nor after_step(module)",
            cause="a method with another name",
            fix="name it `penalty`, which returns a scalar, or `after_step`, which changes weights in place",
        )
    if (player := made.player) not in PLAYERS:
        raise ContractError(
            f"declares player = {player!r}",
            cause="a player that is none",
            fix='declare player = "discriminator" or player = "generator"',
        )
    every = made.every
    if not isinstance(every, int) or every < 1:
        raise ContractError(
            f"declares every = {every!r}",
            cause="an interval that is no whole number of updates",
            fix="declare a positive int: 1 applies it at each update of its player",
        )


@check("regularizer", level=BASICS)
def gives_a_scalar_that_is_not_negative(candidate: Candidate) -> None:
    """Its penalty is a finite float32 scalar of at least zero, for batches of 1, 2 and 64 and any D."""
    penalty = penalty_of(candidate)
    for seed, n in enumerate((1, 2, 64)):
        value = penalty(SmoothD(candidate, seed), *batches(candidate, n, seed))
        if not isinstance(value, Tensor) or value.shape != () or value.dtype != torch.float32:
            shown = f"shape {tuple(value.shape)} of {value.dtype}" if isinstance(value, Tensor) else repr(value)
            raise ContractError(
                f"its penalty is {shown} for a batch of {n}, where a float32 scalar is expected",
                cause="the mean over the batch is missing, or a number was taken out with .item()",
                fix="return (...).mean() as a tensor",
            )
        if not torch.isfinite(value) or value < 0:
            raise ContractError(
                f"its penalty is {float(value):.3g} for a batch of {n}",
                cause="a sign, or a difference that should be squared",
                fix="a penalty is what a player pays: make it at least zero",
            )


@check("regularizer")
def is_zero_where_its_theory_says(candidate: Candidate) -> None:
    """Where it declares `zero_for`, the penalty vanishes for that D, and not for others."""
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
            cause="a case that these checks do not know",
            fix='declare "flat" (zero where D is constant) or "unit-slope" (zero where its gradient has norm 1)',
        )
    value = float(penalty(examples[declared], *batches(candidate)).detach())
    if abs(value) > ZERO:
        raise ContractError(
            f"is {value:.3g} for a {declared} D, where its theory says zero",
            cause="the target of the gradient norm, a missing square, or a constant that is added",
            fix="compare with the paper's formula, or correct zero_for",
        )
    if float(penalty(SmoothD(candidate, 0), *batches(candidate)).detach()) <= ZERO:
        raise ContractError(
            "is zero for a curved D as well",
            cause="the gradient it looks at is taken from a detached input",
            fix="use ganbench.input_gradient(d, batch)",
        )


@check("regularizer")
def its_gradient_reaches_its_player(candidate: Candidate) -> None:
    """The gradient of its penalty reaches D's weights (second order, for a penalty on gradients), or G's samples."""
    made, penalty = candidate.build(), penalty_of(candidate)
    d, (real, fake) = SmoothD(candidate, 0), batches(candidate)
    value = penalty(d, real, fake)
    for_g = made.player == "generator"
    wanted = [fake.x] if for_g else [weight for name, weight in d.named_parameters() if name.endswith("weight")]
    gradients = torch.autograd.grad(value, wanted, allow_unused=True) if value.requires_grad else [None]
    if not all(g is not None and torch.isfinite(g).all() and g.any() for g in gradients):
        raise ContractError(
            f"the gradient of its penalty does not reach {'the generated samples' if for_g else 'the weights of D'}",
            cause="an input gradient made without create_graph=True, or a detach()",
            fix="use ganbench.input_gradient(d, batch), which can be differentiated again",
        )


@check("regularizer")
def labels_travel_with_their_samples(candidate: Candidate) -> None:
    """Whatever it shows to D carries labels where its batches do."""
    penalty = penalty_of(candidate)
    labels, (real, fake) = torch.arange(16), batches(candidate)
    d = SmoothD(candidate, 0)

    def conditional(batch: Batch) -> Tensor:
        if batch.labels is None or len(batch.labels) != len(batch.x):
            raise ContractError(
                "shows samples to D without their labels",
                cause="Batch(x) made anew from batch.x",
                fix="give Batch(x, batch.labels)",
            )
        logits: Tensor = d(batch)
        return logits

    penalty(conditional, Batch(real.x, labels), Batch(fake.x, labels))


@check("regularizer")
def leaves_its_batches_alone(candidate: Candidate) -> None:
    """The batches it is given, and D's gradients, are the same afterwards."""
    penalty = penalty_of(candidate)
    d, (real, fake) = SmoothD(candidate, 0), batches(candidate)
    before = real.x.clone(), fake.x.detach().clone()
    penalty(d, real, Batch(fake.x.detach()))
    if not (torch.equal(real.x, before[0]) and torch.equal(fake.x.detach(), before[1])):
        raise ContractError(
            "changes the samples that it is given",
            cause="an operation in place on batch.x",
            fix="compute into a new tensor",
        )
    if real.x.requires_grad or any(weight.grad is not None for weight in d.parameters()):
        raise ContractError(
            "leaves gradients behind: in D, or wanted by the real samples",
            cause="backward() or requires_grad_() called inside the penalty",
            fix="use ganbench.input_gradient(d, batch), and return the penalty without calling backward",
        )


@check("regularizer")
def acts_on_weights_in_place(candidate: Candidate) -> None:
    """Its act after a step changes weights in place, and leaves them finite and learning."""
    made = candidate.build()
    if not provides(made, "after_step"):
        raise NotApplicable("it offers no after_step(module)")
    network = SmoothD(candidate, 0)
    before = dict(network.named_parameters())
    was = {name: weight.detach().clone() for name, weight in before.items()}
    made.after_step(network)
    for name, weight in network.named_parameters():
        if weight is not before[name] or not weight.requires_grad or weight.grad_fn is not None:
            raise ContractError(
                f"replaces weight {name!r}, so that the optimizer goes on with the old one",
                cause="an assignment of a new tensor, or an act outside torch.no_grad()",
                fix="decorate after_step with @torch.no_grad() and use operations in place, such as clamp_",
            )
        if not torch.isfinite(weight).all():
            raise ContractError(
                f"leaves weight {name!r} not finite",
                cause="a division by a norm that is zero",
                fix="add an epsilon",
            )
    if all(torch.equal(weight, was[name]) for name, weight in before.items()):
        raise ContractError(
            "after_step changes no weight of a network with weights of size 1",
            cause="it works on copies",
            fix="change the parameters of the module that it is given, in place",
        )


@behaviour("regularizer")
def behaves(candidate: Candidate) -> Any:
    """Its penalty on a few points, and the weights after its act."""
    made, network = candidate.build(), SmoothD(candidate, 0)
    values = []
    if provides(made, "penalty"):
        values.append(float(made.penalty(network, *batches(candidate)).detach()))
    if provides(made, "after_step"):
        made.after_step(network)
        values += [float(weight.detach().sum()) for weight in network.parameters()]
    return values
