"""The generator as it was when a metric was at its best: GANs end elsewhere than at their best often enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..contract.records import BestWeights, Score


@dataclass
class BestSnapshot:
    """The weights of G, as it is evaluated, at its best score so far.

    Attributes:
        metric: The score, as in scores.csv; empty to keep nothing.
        step: Steps done at the best score.
        value: The best score.
        weights: Weights and buffers by name, on the CPU; empty before the first score that is finite.
    """

    metric: str
    step: int = 0
    value: float = math.nan
    weights: Mapping[str, Tensor] = field(default_factory=dict)

    def consider(self, scores: Sequence[Score], weights: Callable[[], Mapping[str, Tensor]]) -> None:
        """Take the present weights if one of the new scores is the best so far; of equal ones the first stays."""
        for score in scores:
            if score.metric == self.metric and math.isfinite(score.value) and self._is_better(score):
                self.step, self.value, self.weights = score.step, score.value, dict(weights())

    def _is_better(self, score: Score) -> bool:
        if not self.weights:
            return True
        return score.value > self.value if score.better == "higher" else score.value < self.value

    def record(self) -> BestWeights | None:
        """Return the snapshot as arrays; None if there is none."""
        if not self.weights:
            return None
        return BestWeights(
            self.metric, self.step, self.value, {n: weight.numpy() for n, weight in self.weights.items()}
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the snapshot."""
        return {"step": self.step, "value": self.value, "weights": dict(self.weights)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with another snapshot."""
        self.step, self.value, self.weights = state["step"], state["value"], dict(state["weights"])
