"""Divergence: values that are non-finite to the end of the log, or that grew by orders of magnitude and stay large."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ...contract.failures import Failure
from ...contract.records import Evidence, Finding, Remedy
from ..log import Log, Series
from ..onset import MUST_BE_FINITE, NonFiniteTail, nonfinite_tails, sustained_from

MIN_VALUES = 20  # for growth
EXPLOSION_FACTOR = 1000.0  # times the median magnitude of the first quarter of the log
MIN_BASELINE = 0.1  # magnitude from which growth is counted at least
REMEDY = Remedy({"regularizers": ["r1"]})


def findings(log: Log) -> Iterator[Finding]:
    """Yield at most one finding; non-finite values take precedence over large ones."""
    if tails := nonfinite_tails(log):
        yield _nonfinite_finding(log, tails)
        return
    exploded = [
        (name, series, factor)
        for name in MUST_BE_FINITE
        if (series := log.get(name, MIN_VALUES)) and (factor := _growth(series)) >= EXPLOSION_FACTOR
    ]
    if exploded:
        yield _explosion_finding(log, *max(exploded, key=lambda item: item[2]))


def _nonfinite_finding(log: Log, tails: list[NonFiniteTail]) -> Finding:
    first = tails[0]
    # A single value may be a fault of the logger.
    confidence = 0.8 if first.n_values == 1 else 0.9 if first.n_values < 5 else 0.98
    return Finding(
        diagnosis=Failure.DIVERGENCE,
        horizon="now",
        severity="failure",
        confidence=confidence,
        onset_step=int(first.step),
        summary=(
            f"{', '.join(tail.name for tail in tails)}: not finite from {log.format_step(first.step)} to the end of "
            f"the log ({first.n_values} values of {first.name})."
        ),
        evidence={tail.name: Evidence(None, None, int(tail.step)) for tail in tails},
        remedy=REMEDY,
    )


def _explosion_finding(log: Log, name: str, series: Series, factor: float) -> Finding:
    baseline = _baseline(series)
    first = sustained_from(np.abs(series.values) >= baseline * EXPLOSION_FACTOR / 10)
    onset = float(series.steps[first if first is not None else -1])
    return Finding(
        diagnosis=Failure.DIVERGENCE,
        horizon="now",
        severity="failure",
        confidence=round(min(0.9, 0.6 + 0.1 * math.log10(factor / EXPLOSION_FACTOR)), 2),
        onset_step=int(onset),
        summary=(
            f"{name} has grown to {factor:.2g} times its early magnitude and has stayed there since "
            f"{log.format_step(onset)}."
        ),
        evidence={name: series.last_as_evidence(baseline * EXPLOSION_FACTOR)},
        remedy=REMEDY,
    )


def _growth(series: Series) -> float:
    """Return the factor by which the magnitude of the last tenth exceeds that of the first quarter."""
    return _magnitude(series).median(0.9, 1.0) / _baseline(series)


def _baseline(series: Series) -> float:
    return max(_magnitude(series).median(0.0, 0.25), MIN_BASELINE)


def _magnitude(series: Series) -> Series:
    return Series(series.raw, series.steps, np.abs(series.values))
