"""What is commonly advised to watch, as diagnosers: each rule's score is its signal, its threshold the folk one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...contract.records import Evidence, Finding, History, Horizon, Remedy
from ..ground_truth.labels import FAILURES
from .prediction import Prediction

Signal = Callable[[History], float]
LAST = 5  # observations that a rule looks at


def _recent(history: History, name: str) -> float:
    """The mean of the last observations; NaN without any."""
    values = history.columns.get(name)
    values = values[np.isfinite(values)][-LAST:] if values is not None else np.empty(0)
    return float(values.mean()) if len(values) else np.nan


def d_loss_near_zero(history: History) -> float:
    """The lower D's loss the more suspect."""
    return -_recent(history, "loss_d")


def g_loss_rising(history: History) -> float:
    """G's loss now, over its own spread, above its first values."""
    values = history.columns.get("loss_g", np.empty(0))
    values = values[np.isfinite(values)]
    if len(values) < 2 * LAST:
        return 0.0
    return float((values[-LAST:].mean() - values[:LAST].mean()) / (values.std() + 1e-12))


def d_accuracy_high(history: History) -> float:
    """Accuracy of D on its own batch."""
    return _recent(history, "accuracy_d")


@dataclass(frozen=True)
class Rule:
    """A rule of folklore, taken as a sign of every failure: it says that something is wrong, not what."""

    name: str
    signal: Signal
    threshold: float
    detects: Sequence[str] = FAILURES

    def predict(self, history: History, failure: str) -> Prediction:
        """The same for every failure and both horizons."""
        value = self.signal(history)
        value = value if np.isfinite(value) else -np.inf
        both: dict[Horizon, float] = {"now": value, "end": value}
        return Prediction(both, [self._finding(history, failure, value)] if value >= self.threshold else [])

    def _finding(self, history: History, failure: str, value: float) -> Finding:
        step = int(history.columns["step"][-1])
        evidence = {self.name: Evidence(value, self.threshold, step)}
        return Finding(failure, "now", "failure", 1.0, step, f"{self.name}: {value:.3g}", evidence, Remedy())


RULES = (
    Rule("folklore: D loss near 0", d_loss_near_zero, -0.1),
    Rule("folklore: G loss rising", g_loss_rising, 1.0),
    Rule("folklore: D accuracy >= 0.95", d_accuracy_high, 0.95),
)
ALWAYS = Rule("always fail", lambda history: 1.0, 1.0)
