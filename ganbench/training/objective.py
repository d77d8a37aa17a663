"""What a player minimizes beside its adversarial loss: terms, each with a weight that is a number, a ramp or adaptive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..contract.components import Term
from ..contract.outputs import DiscriminatorFn
from ..contract.records import ADAPTIVE, Batch, Player, Ramp, Weight

ADAPTIVE_SHARE = 0.8  # of the other gradients' norm that an adaptive part's has, as in VQGAN's program
MAX_ADAPTIVE = 1e4
EPSILON = 1e-4


@dataclass(frozen=True)
class WeightedTerm:
    """A term of an objective.

    Attributes:
        name: What the suite calls it.
        term: The term.
        weight: A number, a ramp or `"adaptive"`.
    """

    name: str
    term: Term
    weight: Weight

    def value(self, d: DiscriminatorFn, real: Batch, fake: Batch) -> Tensor:
        """Return the term, without its weight. Raises ValueError, which names it, where it cannot be computed."""
        try:
            value = self.term(d, real, fake)
        except (ValueError, TypeError, LookupError) as error:
            raise ValueError(f"term {self.name!r}: {error}") from error
        if not isinstance(value, Tensor) or value.shape != ():
            shown = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"term {self.name!r} returns {shown}, and a scalar is expected")
        return value


def terms_of(terms: Sequence[WeightedTerm], player: Player) -> list[WeightedTerm]:
    """Return the terms of a player."""
    return [term for term in terms if term.term.player in (player, "both")]


def weight_at(weight: Weight, step: int, steps: int) -> float | None:
    """Return a weight after `step` of `steps` steps; None for an adaptive one."""
    if isinstance(weight, Ramp):
        length = weight.steps if weight.share is None else weight.share * steps
        return weight.start + (weight.end - weight.start) * min(max(step, 0) / max(length or 1, 1e-9), 1.0)
    return None if weight == ADAPTIVE else float(weight)


def add_parts(
    parts: Mapping[str, tuple[Tensor, float | None]], last_layer: Tensor | None
) -> tuple[Tensor, dict[str, Any]]:
    """Return the weighted sum of the parts of an objective, and the weights.

    An adaptive part has the weight with which its gradient at the last layer is 0.8 times as long as that of the parts whose
    weights are numbers: min(|grad others| / (|grad part| + 1e-4), 1e4) * 0.8, which is VQGAN's (Esser et al. 2021,
    https://arxiv.org/abs/2012.09841, equation 7) where the part is the adversarial loss.

    Args:
        parts: Values, with their weights; None for an adaptive one.
        last_layer: G's last layer; needed where a weight is adaptive.
    """
    weights: dict[str, Any] = {name: weight for name, (_, weight) in parts.items() if weight is not None}
    fixed = [value if weight == 1.0 else weight * value for value, weight in parts.values() if weight is not None]
    total = fixed[0] if fixed else next(iter(parts.values()))[0] * 0.0
    for value in fixed[1:]:
        total = total + value
    adaptive = {name: value for name, (value, weight) in parts.items() if weight is None}
    if adaptive:
        assert last_layer is not None
        reference = _gradient_norm(total, last_layer)
        for name, value in adaptive.items():
            ratio = reference / (_gradient_norm(value, last_layer) + EPSILON)
            weights[name] = ratio.clamp(0, MAX_ADAPTIVE) * ADAPTIVE_SHARE
            total = total + weights[name] * value
    return total, weights


def last_layer_of(generator: Any, whose: str) -> Tensor:
    """Return the weight of a generator's last layer, as it names it.

    Raises ValueError, which names whose weight is adaptive, for a generator that names none.
    """
    named = getattr(generator, "last_layer", None)
    if isinstance(named, str):
        named = dict(generator.named_parameters()).get(named)
    if isinstance(named, nn.Module):
        named = getattr(named, "weight", None)
    if not isinstance(named, Tensor) or not named.requires_grad:
        raise ValueError(
            f"the adaptive weight of {whose} needs the last layer of G, and the generator {type(generator).__name__} names "
            "none: offer `last_layer`, its weight or the name of its weight, or give a number"
        )
    return named


def _gradient_norm(value: Tensor, weight: Tensor) -> Tensor:
    if not value.requires_grad:
        return torch.zeros((), device=weight.device)
    (gradient,) = torch.autograd.grad(value, weight, retain_graph=True, allow_unused=True)
    return torch.zeros((), device=weight.device) if gradient is None else gradient.norm()
