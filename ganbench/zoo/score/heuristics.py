"""Rules of thumb and of the literature as diagnosers: the score of each is its signal, its threshold the one advised.

Of the literature only what a history holds can be computed: the signs and mean outputs of D that adaptive augmentation
reads (Karras et al. 2020, https://arxiv.org/abs/2006.06676) and the sensitivity of G to z are not observed.
"""

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


def generator_score_off(history: History) -> float:
    """Return the distance of the mean of D(G(z)) from its ideal, 1/2.

    The generator score of MATLAB's toolbox, see
    https://www.mathworks.com/help/deeplearning/ug/monitor-gan-training-progress-and-identify-common-failure-modes.html.
    """
    return abs(_recent(history, "d_fake") - 0.5)


def discriminator_score_off(history: History) -> float:
    """Return the distance of the mean of D(x) and 1 - D(G(z)) from its ideal, 1/2: the discriminator score of the same."""
    return abs((_recent(history, "d_real") + 1 - _recent(history, "d_fake")) / 2 - 0.5)


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
    # The source advises no thresholds: 0.4 is a score within 0.1 of its limits.
    Rule("literature: generator score", generator_score_off, 0.4),
    Rule("literature: discriminator score", discriminator_score_off, 0.4),
)
ALWAYS = Rule("always fail", lambda history: 1.0, 1.0)
