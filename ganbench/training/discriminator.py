"""D as losses and regularizers see it: one head at a time, and run once for what is asked twice."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..contract.components import Loss, Regularizer
from ..contract.outputs import COMBINE, Combine, DiscriminatorFn, DiscriminatorOutputs, combine_heads, read_outputs
from ..contract.records import Batch


@dataclass(eq=False)
class _Run:
    """A run of D.

    Attributes:
        batch: What it was on, by identity.
        graph: Whether a graph was built, and whether it leads to the samples: one without cannot serve for one with.
        outputs: What D returned.
        given: Whether `d(batch)` has given them.
    """

    batch: Batch
    graph: tuple[bool, bool]
    outputs: DiscriminatorOutputs
    given: bool = False


class BoundDiscriminator:
    """D as losses and regularizers see it (`DiscriminatorFn`).

    D runs at each `d(batch)`, as a plain function would. What it returned is remembered as long as this object lives,
    which is one update at most, for `d.outputs(batch)` and for the other heads. The same samples in another `Batch` are
    another batch.

    Args:
        run: Returns what D returns for a batch.
        combine: How the heads are combined.

    Attributes:
        head: Which head `d(batch)` gives; None for all.
    """

    def __init__(self, run: Callable[[Batch], Any], combine: Combine = "mean") -> None:
        self.head: int | None = None
        self._run, self._combine = run, combine
        self._runs: list[_Run] = []
        self._not_replayed: list[_Run] = []  # those that the first head has caused, and this one has not yet used
        self._leaves: list[tuple[Batch, Batch]] = []  # batches, and what gradients with respect to them were taken at
        self._leaves_left: list[tuple[Batch, Batch]] = []  # likewise: of the first head, not yet used by this one

    def __call__(self, batch: Batch) -> Tensor:
        """Return logits of a batch, N first."""
        run = self._replay(batch) or self._newest(batch)
        if run is None or (run.given and not self.head):
            run = self._run_anew(batch)
        run.given = True
        if self.head is None:
            return run.outputs.logits
        heads = run.outputs.heads
        if self.head >= len(heads):
            raise ValueError(f"the discriminator returns {len(heads)} heads for one batch and more for another")
        return heads[self.head]

    def outputs(self, batch: Batch) -> DiscriminatorOutputs:
        """Return everything that D returned for a batch when it last ran, or returns now."""
        return (self._newest(batch) or self._run_anew(batch)).outputs

    def leaf(self, batch: Batch) -> Batch:
        """Return the samples of a batch as a leaf, which a gradient with respect to them is taken at.

        A new one at each call; for another head those of the first, in order, so that D runs once for all.
        """
        for pair in self._leaves_left:
            if pair[0] is batch:
                self._leaves_left.remove(pair)
                return pair[1]
        made = batch.with_x(batch.x.detach().requires_grad_())
        self._leaves.append((batch, made))
        return made

    def for_each_head(self, compute: Callable[[DiscriminatorFn], Tensor]) -> Tensor:
        """Return `compute(d)` of each head, combined as D declares; how many there are is known after the first."""
        values: list[Tensor] = []
        n_heads = 1
        while len(values) < n_heads:
            bound = BoundDiscriminator(self._run, self._combine)
            bound.head, bound._runs = len(values), self._runs
            bound._not_replayed = list(self._runs) if values else []
            bound._leaves = self._leaves
            bound._leaves_left = list(self._leaves) if values else []
            values.append(compute(bound))
            n_heads = max((len(run.outputs.heads) for run in self._runs), default=1)
        return combine_heads(values, self._combine)

    def _run_anew(self, batch: Batch) -> _Run:
        run = _Run(batch, _graph_of(batch), read_outputs(self._run(batch), self._combine))
        self._runs.append(run)
        return run

    def _newest(self, batch: Batch) -> _Run | None:
        for run in reversed(self._runs):
            if _serves(run, batch):
                return run
        return None

    def _replay(self, batch: Batch) -> _Run | None:
        """The next run that the first head has caused for a batch: another head sees the same ones, in order."""
        for run in self._not_replayed:
            if _serves(run, batch):
                self._not_replayed.remove(run)
                return run
        return None


def _graph_of(batch: Batch) -> tuple[bool, bool]:
    return torch.is_grad_enabled(), batch.x.requires_grad


def _serves(run: _Run, batch: Batch) -> bool:
    return run.batch is batch and run.graph == _graph_of(batch)


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
