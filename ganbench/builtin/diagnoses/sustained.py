"""When a condition has held from some step to the end: what makes a state of a run, and not a moment of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import ganbench

Array = np.ndarray[Any, Any]

KEPT = 0.9  # of the observations since the onset must meet the condition
CERTAIN = 0.2  # of the budget: a state that has held so long is certain


def measured(history: ganbench.History, *names: str) -> tuple[Array, ...]:
    """The steps and columns `names`, at the rows where all of them were measured; empty where one is missing."""
    columns = history.columns
    if any(name not in columns for name in ("step", *names)):
        return tuple(np.empty(0) for _ in range(len(names) + 1))
    rows = np.all([np.isfinite(columns[name]) for name in names], axis=0)
    return tuple(columns[name][rows] for name in ("step", *names))


def onset(met: Array, at_least: int) -> int | None:
    """The earliest row from which the condition has held to the end but for a few rows.

    None where it does not hold now, or has not for `at_least` rows.
    """
    if len(met) < at_least or not met[-at_least:].all():
        return None
    held = np.cumsum(met[::-1])[::-1] / np.arange(len(met), 0, -1)
    return int(np.flatnonzero(met & (held >= KEPT))[0])


def confidence(steps: Array, first: int, budget: int, margin: float) -> float:
    """How sure a state is that has held since row `first`: from 1/2 up to 1 when it has lasted and is clear.

    `margin` says how far the signals are beyond their thresholds: 0 on them, 1 and more clearly beyond.
    """
    lasted = (steps[-1] - steps[first]) / budget
    return float(round(0.5 + 0.5 * min(1.0, lasted / CERTAIN, max(0.0, margin)), 3))


def decades(larger: float, smaller: float) -> float:
    """The margin of a quantity that spans orders of magnitude: 1 at ten times."""
    return math.log10(max(larger, 1e-300) / max(smaller, 1e-300))
