"""Numbers that are no longer finite, or about to be."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

import ganbench

from .calibrated import track_record

Array = np.ndarray[Any, Any]

KEPT_SHARE = 0.9  # of the observations since the onset must meet the condition
CERTAIN_AGE = 0.2  # of the budget: a state that has lasted so long is certain
REMEDY = ganbench.Remedy(
    {
        "loss": "relativistic",
        "optimizer": {"name": "adam", "lr": 0.001, "betas": [0.0, 0.9]},
        "points": {"regularizers": [{"name": "r1", "weight": 0.05}, {"name": "r2", "weight": 0.05}]},
        "images": {"regularizers": [{"name": "r1", "weight": 0.5}, {"name": "r2", "weight": 0.5}]},
    }
)

DATA_REMEDY = ganbench.Remedy(advice="remove or fill in the rows of the data that are not finite, and train again")


class Divergence(ganbench.Diagnosis):
    """Losses, logits, gradients or weights that are no longer finite, or logits beyond any reason.

    Args:
        logit: Absolute logit from which a warning is given.
        rows: Observations in a row that have to reach it.
    """

    def __init__(self, *, logit: float = 1e4, rows: int = 5) -> None:
        self.logit = logit
        self.rows = rows

    def diagnose(self, history: ganbench.History) -> Iterator[ganbench.Finding]:
        """Yield a failure at the step and layer where numbers stopped being finite; a warning for huge logits."""
        if history.nonfinite is not None:
            yield self._nonfinite(history.nonfinite, history)
            return
        steps, logits = _measured(history, "logit_max")
        first = _onset(logits >= self.logit, self.rows)
        if first is not None:
            yield ganbench.Finding(
                diagnosis=ganbench.Failure.DIVERGENCE,
                horizon="now",
                severity="warning",
                confidence=_confidence(steps, first, history.steps, _decades(logits[-1], self.logit)),
                onset_step=int(steps[first]),
                summary=f"Logits have grown to {logits[-1]:.3g}: the players drive each other apart.",
                evidence={"logit_max": ganbench.Evidence(float(logits[-1]), self.logit, int(steps[-1]))},
                remedy=REMEDY,
                track_record=track_record(ganbench.Failure.DIVERGENCE),
            )

    def _nonfinite(self, where: ganbench.NonFinite, history: ganbench.History) -> ganbench.Finding:
        steps, logits = _measured(history, "logit_max")
        last = {"logit_max": ganbench.Evidence(float(logits[-1]), self.logit, int(steps[-1]))} if len(steps) else {}
        # Values of the data that are not finite make every layer so, whatever the networks and the loss are.
        from_data = any(fault.fault == "nonfinite-data" for fault in history.wiring)
        layer = f" of layer {where.layer!r}" if where.layer else ""
        what = f"The {where.what}{layer} of the {where.player} is"
        if where.what == "real samples":
            what = "The real samples that the data set's loader gives are"
        return ganbench.Finding(
            diagnosis=ganbench.Failure.DIVERGENCE,
            horizon="now",
            severity="failure",
            confidence=1.0,
            onset_step=where.step,
            summary=f"{what} not finite since step {where.step}.",
            evidence=last,
            remedy=DATA_REMEDY if from_data else REMEDY,
            cause="wiring" if from_data else "",
            track_record="" if from_data else track_record(ganbench.Failure.DIVERGENCE),
        )


def _measured(history: ganbench.History, *names: str) -> tuple[Array, ...]:
    """Return the steps and the columns `names` at the rows where all were measured; empty if one is missing."""
    columns = history.columns
    if any(name not in columns for name in ("step", *names)):
        return tuple(np.empty(0) for _ in range(len(names) + 1))
    rows = np.all([np.isfinite(columns[name]) for name in names], axis=0)
    return tuple(columns[name][rows] for name in ("step", *names))


def _onset(met: Array, at_least: int) -> int | None:
    """Return the earliest row from which a condition has held to the end, but for a few rows.

    Return None if it does not hold now, or has not for `at_least` rows.
    """
    if len(met) < at_least or not met[-at_least:].all():
        return None
    held = np.cumsum(met[::-1])[::-1] / np.arange(len(met), 0, -1)
    return int(np.flatnonzero(met & (held >= KEPT_SHARE))[0])


def _confidence(steps: Array, first: int, budget: int, margin: float) -> float:
    """Return the confidence in a state that has held since row `first`: from 1/2 up to 1 if it has lasted and is clear.

    `margin` says how far the signals are beyond their thresholds: 0 at them, 1 and more clearly beyond.
    """
    lasted = (steps[-1] - steps[first]) / budget
    return float(round(0.5 + 0.5 * min(1.0, lasted / CERTAIN_AGE, max(0.0, margin)), 3))


def _decades(larger: float, smaller: float) -> float:
    """Return the margin of a quantity that spans orders of magnitude: 1 at ten times."""
    return math.log10(max(larger, 1e-300) / max(smaller, 1e-300))
