"""Rules of thumb and of the literature as diagnosers: the score of each is its signal, its threshold the one advised.

A recording that was made before a rule's signals were observed is nothing that the rule suspects.
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


def signs_of_d(history: History) -> float:
    """Return E sign D(x) on training data: r_t of adaptive augmentation (Karras et al. 2020), 0 to 1 as D overfits.

    See https://arxiv.org/abs/2006.06676.
    """
    return _recent(history, "sign_d")


def held_out_logits_fallen(history: History) -> float:
    """Return how far D's mean on held-out data has fallen from training data to generated samples: r_v of the same."""
    train, held_out, fake = (_recent(history, f"mean_logit_{part}") for part in ("train", "held_out", "fake"))
    return (train - held_out) / (train - fake) if abs(train - fake) > 1e-9 else np.nan


def gradients_fallen(history: History) -> float:
    """Return how far D's gradient times G's steepness is below its highest, in decades.

    Training turns from fitting to collapse as both gradients change (Gao et al. 2025,
    https://openreview.net/forum?id=58gPkcVbFL). The gradient is that of G's loss at its samples, and the source's own
    metric weighs the two otherwise.
    """
    gradient, steepness = (history.columns.get(name, np.empty(0)) for name in ("input_gradient", "steepness"))
    if len(gradient) != len(steepness):
        return np.nan
    product = (gradient * steepness)[np.isfinite(gradient * steepness)]
    if len(product) < RECENT_OBSERVATIONS:
        return np.nan
    return float(np.log10(max(product.max(), 1e-12)) - np.log10(max(product[-RECENT_OBSERVATIONS:].mean(), 1e-12)))


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
    Rule("literature: signs of D (r_t)", signs_of_d, 0.6),  # the target of adaptive augmentation
    Rule("literature: D on held-out data (r_v)", held_out_logits_fallen, 0.5),  # half of the way
    Rule("literature: gradient x steepness", gradients_fallen, 1.0),  # no threshold is advised: a decade
)
ALWAYS = Rule("always fail", lambda history: 1.0, 1.0)
