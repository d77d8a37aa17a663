"""D as losses and regularizers see it: one head at a time, and run once for what is asked twice."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..contract.components import Loss, Regularizer
from ..contract.outputs import COMBINE, Combine, DiscriminatorFn, DiscriminatorOutputs, combine_heads, read_outputs
from ..contract.records import Batch


class BoundDiscriminator:
    """D as losses and regularizers see it (`DiscriminatorFn`).

    What D returned for a batch is remembered as long as this object lives, which is one update at most, so that D runs
    once for `d(batch)`, `d.outputs(batch)` and every head of it. The same samples in another `Batch` are another batch.

    Args:
        run: Returns what D returns for a batch.
        combine: How the heads are combined.

    Attributes:
        head: Which head `d(batch)` gives; None for all.
    """

    def __init__(self, run: Callable[[Batch], Any], combine: Combine = "mean") -> None:
        self.head: int | None = None
        self._run, self._combine = run, combine
        self._remembered: list[tuple[Batch, tuple[bool, bool], DiscriminatorOutputs]] = []

    def __call__(self, batch: Batch) -> Tensor:
        """Return logits of a batch, N first."""
        outputs = self.outputs(batch)
        if self.head is None:
            return outputs.logits
        if self.head >= len(outputs.heads):
            raise ValueError(f"the discriminator gives {len(outputs.heads)} heads here and more for another batch")
        return outputs.heads[self.head]

    def outputs(self, batch: Batch) -> DiscriminatorOutputs:
        """Return everything that D returns for a batch."""
        graph = torch.is_grad_enabled(), batch.x.requires_grad  # what has no graph cannot serve what needs one
        for known, known_graph, outputs in self._remembered:
            if known is batch and known_graph == graph:
                return outputs
        outputs = read_outputs(self._run(batch), self._combine)
        self._remembered.append((batch, graph, outputs))
        return outputs

    def for_each_head(self, compute: Callable[[DiscriminatorFn], Tensor]) -> Tensor:
        """Return `compute(d)` of each head, combined as D declares; how many there are is known after the first."""
        values: list[Tensor] = []
        n_heads = 1
        while len(values) < n_heads:
            bound = BoundDiscriminator(self._run, self._combine)
            bound.head, bound._remembered = len(values), self._remembered
            values.append(compute(bound))
            n_heads = max((len(outputs.heads) for *_, outputs in self._remembered), default=1)
        return combine_heads(values, self._combine)


def evaluate_by_head(
    component: Loss | Regularizer,
    compute: Callable[[DiscriminatorFn, Batch, Batch], Tensor],
    d: DiscriminatorFn,
    real: Batch,
    fake: Batch,
) -> Tensor:
    """Return a loss or a penalty: of each of D's heads, combined as D declares, unless `component.per_head` is False."""
    if component.per_head and isinstance(d, BoundDiscriminator):
        return d.for_each_head(lambda head: compute(head, real, fake))
    return compute(d, real, fake)


def combine_of(discriminator: Any) -> Combine:
    """Return how a discriminator declares that its heads are combined; raise ValueError if that is no way to."""
    declared = getattr(discriminator, "combine", "mean")
    if declared not in COMBINE:
        raise ValueError(f"a discriminator's combine is 'mean' or 'sum', not {declared!r}")
    return "sum" if declared == "sum" else "mean"


def condition_argument(network: Any, condition: Tensor | None) -> dict[str, Tensor]:
    """Return the keyword argument that hands a condition to a network; none without one, or if `forward` takes none."""
    if condition is None or not _takes_condition(getattr(network.forward, "__func__", network.forward)):
        return {}
    return {"condition": condition}


@functools.lru_cache(maxsize=64)
def _takes_condition(forward: Callable[..., Any]) -> bool:
    parameters = inspect.signature(forward).parameters.values()
    return any(p.name == "condition" or p.kind is p.VAR_KEYWORD for p in parameters)
