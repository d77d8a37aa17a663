"""Since when a condition has held to the end.

Where a series stops being finite and never is again.

Numbers that broke, or that grew by orders of magnitude and stayed there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ...contract.records import Evidence, Finding, Remedy
from ..history import VITAL, breaks
from ..log import Array, Log, Series

KEPT_SHARE = 0.9  # of the values since the onset must meet the condition


def sustained_from(met: Array) -> int | None:
    """The earliest value from which the condition has held to the end but for a few; None where it does not now.

    It holds now if it does for most of the last tenth of the values.
    """
    if not len(met) or met[-max(3, len(met) // 10) :].mean() < KEPT_SHARE:
        return None
    held = np.cumsum(met[::-1])[::-1] / np.arange(len(met), 0, -1)
    return int(np.flatnonzero(met & (held >= KEPT_SHARE))[0])


EXPLODED = 1000.0  # times its size in the first quarter of the log
SMALLEST = 0.1  # size below which growth is counted from here
REMEDY = 'regularizers = ["r1"]'


def findings(log: Log) -> Iterator[Finding]:
    """At most one: what is not finite says more than what is large."""
    if broken := breaks(log):
        yield _broken(log, broken)
        return
    large = [(name, series, grown) for name in VITAL if (series := log.get(name, 20)) and (grown := _growth(series))]
    if large:
        yield _exploded(log, *max(large, key=lambda found: found[2]))


def _broken(log: Log, broken: list[tuple[float, str, int]]) -> Finding:
    step, first, lasted = broken[0]
    confidence = 0.8 if lasted == 1 else 0.9 if lasted < 5 else 0.98  # a single value may be a slip of the logger
    names = ", ".join(name for _, name, _ in broken)
    return Finding(
        diagnosis="divergence",
        horizon="now",
        severity="failure",
        confidence=confidence,
        onset_step=int(step),
        summary=f"{names}: not finite from {log.at(step)} to the end of the log ({lasted} values of {first}).",
        evidence={name: Evidence(None, None, int(at)) for at, name, _ in broken},
        remedy=Remedy.parse(REMEDY),
    )


def _growth(series: Series) -> float | None:
    """By what factor the size of the last tenth exceeds that of the first quarter, where that is an explosion."""
    size = Series(series.raw, series.steps, np.abs(series.values))
    factor = size.median(0.9, 1.0) / max(size.median(0.0, 0.25), SMALLEST)
    return factor if factor >= EXPLODED else None


def _exploded(log: Log, name: str, series: Series, factor: float) -> Finding:
    size = np.abs(series.values)
    baseline = max(float(np.median(np.abs(series.part(0.0, 0.25)))), SMALLEST)
    first = sustained_from(size >= baseline * EXPLODED / 10)
    onset = float(series.steps[first if first is not None else -1])
    return Finding(
        diagnosis="divergence",
        horizon="now",
        severity="failure",
        confidence=round(min(0.9, 0.6 + 0.1 * math.log10(factor / EXPLODED)), 2),
        onset_step=int(onset),
        summary=f"{name} has grown to {factor:.2g} times its early size and stays there, since {log.at(onset)}.",
        evidence={name: series.last(baseline * EXPLODED)},
        remedy=Remedy.parse(REMEDY),
    )
