"""Rules of thumb as diagnosers: the score of each is its signal, its threshold the one that is commonly advised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...contract.records import Evidence, Finding, History, Horizon, Remedy
from ..ground_truth.labels import FAILURES
from .prediction import Prediction

Signal = Callable[[History], float]
RECENT_OBSERVATIONS = 5  # that a rule reads


def _recent(history: History, name: str) -> float:
    """The mean of the last observations; NaN without any."""
    values = history.columns.get(name)
    values = values[np.isfinite(values)][-RECENT_OBSERVATIONS:] if values is not None else np.empty(0)
    return float(values.mean()) if len(values) else np.nan


def d_loss_near_zero(history: History) -> float:
    """Return the negative loss of D: the lower the loss, the more suspect."""
    return -_recent(history, "loss_d")


def g_loss_rising(history: History) -> float:
    """Return how far G's loss is above its first values, in units of its standard deviation."""
    values = history.columns.get("loss_g", np.empty(0))
    values = values[np.isfinite(values)]
    if len(values) < 2 * RECENT_OBSERVATIONS:
        return 0.0
    return float((values[-RECENT_OBSERVATIONS:].mean() - values[:RECENT_OBSERVATIONS].mean()) / (values.std() + 1e-12))


def d_accuracy_high(history: History) -> float:
    """Return the accuracy of D on training data and generated samples."""
    return _recent(history, "accuracy_d")


@dataclass(frozen=True)
class Rule:
    """A rule of thumb, taken as a sign of every failure: it says that something is wrong, not what."""

    name: str
    signal: Signal
    threshold: float
    detects: Sequence[str] = FAILURES

    def predict(self, history: History, failure: str) -> Prediction:
        """Return the same prediction for every failure and both horizons."""
        value = self.signal(history)
        value = value if np.isfinite(value) else -np.inf
        both: dict[Horizon, float] = {"now": value, "end": value}
        return Prediction(both, [self._finding(history, failure, value)] if value >= self.threshold else [])

    def _finding(self, history: History, failure: str, value: float) -> Finding:
        step = int(history.columns["step"][-1])
        evidence = {self.name: Evidence(value, self.threshold, step)}
        return Finding(failure, "now", "failure", 1.0, step, f"{self.name}: {value:.3g}", evidence, Remedy())


RULES = (
    Rule("heuristic: D loss near 0", d_loss_near_zero, -0.1),
    Rule("heuristic: G loss rising", g_loss_rising, 1.0),
    Rule("heuristic: D accuracy >= 0.95", d_accuracy_high, 0.95),
)
ALWAYS = Rule("always fail", lambda history: 1.0, 1.0)
