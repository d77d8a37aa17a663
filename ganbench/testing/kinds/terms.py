"""Checks of terms, on a small smooth discriminator that gives features, classes and codes."""

from __future__ import annotations

import math
from typing import Any, get_args, get_type_hints

import torch
from torch import Tensor, nn

from ...contract.components import Term
from ...contract.records import Batch, DataSpec
from ...training.discriminator import BoundDiscriminator
from ..candidate import Candidate
from ..check import ContractError, NotApplicable, behaviour, check

N = 6
LATENTS = 16


class GivingD(nn.Module):
    """A small D that gives features, classes and codes beside its logits."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        stream = torch.Generator().manual_seed(0)
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(spec.shape), 8), nn.Softplus())
        self.head, self.classes, self.codes = nn.Linear(8, 1), nn.Linear(8, max(spec.classes, 2)), nn.Linear(8, 2)
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(0.1 * torch.randn(weight.shape, generator=stream))

    def run(self, batch: Batch) -> dict[str, Any]:
        features = self.body(batch.x)
        return {
            "logits": self.head(features).squeeze(1),
            "features": [features],
            "classes": self.classes(features),
            "codes": self.codes(features),
        }


def batches(spec: DataSpec, n: int = N) -> tuple[Batch, Batch]:
    """Return paired real and generated samples, with labels where the data has classes; the latter have a graph."""
    stream = torch.Generator().manual_seed(1)
    low, high = spec.value_range or (-1.0, 1.0)
    real, fake = (low + (high - low) * torch.rand(n, *spec.shape, generator=stream) for _ in range(2))
    labels = torch.randint(spec.classes, (n,), generator=stream) if spec.classes else None
    z = torch.randn(n, LATENTS, generator=stream)
    return Batch(real, labels), Batch(fake.requires_grad_(), labels, None, z)


def evaluate(candidate: Candidate, term: Term, spec: DataSpec) -> tuple[Tensor, Batch, GivingD]:
    """Return the term of some samples, with them and D; raise NotApplicable if it needs another D or other data."""
    d, (real, fake) = GivingD(spec), batches(spec)
    try:
        return term(BoundDiscriminator(d.run), real, fake), fake, d
    except ValueError as error:  # as a term says that it needs what this D does not give
        raise NotApplicable(f"the checks cannot try it: {error}") from error


@check("term", basic=True)
def gives_a_finite_scalar(candidate: Candidate) -> None:
    """It returns a finite float32 scalar, for one of the players or both."""
    term: Term = candidate.build()
    players = get_args(get_type_hints(Term)["player"])
    if term.player not in players:
        raise ContractError(
            f"declares player = {term.player!r}", cause="there is no such player", fix=f"declare one of {players}"
        )
    for spec in candidate.specs():
        value, _, _ = evaluate(candidate, term, spec)
        if not isinstance(value, Tensor) or value.shape != () or value.dtype != torch.float32 or not value.isfinite():
            raise ContractError(
                f"returns {value!r:.80}, where a finite float32 scalar is expected",
                cause="the mean over the batch is missing, or a logarithm of zero",
                fix="return (...).mean() of finite values",
            )


@check("term")
def its_gradient_reaches_its_player(candidate: Candidate) -> None:
    """The gradient reaches generated samples if it is G's, D's weights if it is D's, and the given samples stay."""
    term: Term = candidate.build()
    for spec in candidate.specs():
        value, fake, d = evaluate(candidate, term, spec)
        weights = list(d.parameters())
        gradients: tuple[Tensor | None, ...] = (None,) * (1 + len(weights))
        if value.requires_grad:
            gradients = torch.autograd.grad(value, [fake.x, *weights], allow_unused=True)
        of_g, of_d = gradients[0] is not None and bool(gradients[0].any()), any(g is not None for g in gradients[1:])
        if (term.player != "discriminator" and not of_g) or (term.player != "generator" and not of_d):
            raise ContractError(
                f"is a part of the objective of {term.player}, and no gradient reaches it",
                cause="the result is detached, or the player is another",
                fix="compute from fake.x and d(...) with their graphs, and declare the right `player`",
            )


@behaviour("term")
def behaves(candidate: Candidate) -> Any:
    """Return its value on some samples."""
    value, _, _ = evaluate(candidate, candidate.build(), candidate.specs()[0])
    return float(value.detach())
