"""Divergence: values that are non-finite to the end of the log, or that grew by orders of magnitude and stay large.

A quality score may break while the losses stay finite: then it is the weights that are evaluated, often an average, or
the evaluation itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ...contract.failures import Failure
from ...contract.records import Evidence, Finding, Remedy
from ..log import Log, Series
from ..onset import (
    MUST_BE_FINITE,
    SCORES,
    NonFiniteTail,
    broken_measures,
    longest_gap,
    nonfinite_again,
    nonfinite_tails,
    sustained_from,
)

MIN_VALUES = 20  # for growth
EXPLOSION_FACTOR = 1000.0  # times the median magnitude of the first quarter of the log
MIN_BASELINE = 0.1  # magnitude from which growth is counted at least
REMEDY = Remedy(
    {"regularizers": ["r1"]},
    "a gradient penalty on real samples (R1) or lower learning rates, from a snapshot before that step on",
)


def findings(log: Log) -> Iterator[Finding]:
    """Yield at most one finding; non-finite values take precedence over large ones, losses over scores."""
    if tails := nonfinite_tails(log):
        yield _nonfinite_finding(log, tails)
        return
    if broken := broken_measures(log):
        yield _broken_measure_finding(log, broken)
        return
    if tails := nonfinite_again(log):
        yield _nonfinite_again_finding(log, tails)
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


def _broken_measure_finding(log: Log, broken: list[NonFiniteTail]) -> Finding:
    """Report a score or a rate that has no value any more, and the last snapshot that had one.

    Where the score had been NaN in between, NaN may also mean that it was no longer measured: a warning.
    """
    first = broken[0]
    score = log.series[first.name]
    finite = score.finite
    had_gaps = longest_gap(Series(score.raw, score.steps[: -first.n_values], score.values[: -first.n_values])) > 0
    is_sure = first.n_values > 1 and not had_gaps
    values = "value" if first.n_values == 1 else "values"
    is_score = first.name in SCORES
    what = "the score" if is_score else first.name
    why = "it broke there, or was no longer measured" if had_gaps else f"{what} broke there"
    losses = [log.series[name].raw for name in MUST_BE_FINITE if name in log.series]
    beside = f", while {', '.join(losses[:2])} stay finite" if losses else ""
    last = f"{finite.values[-1]:.4g} at {log.format_step(float(finite.steps[-1]))}"
    return Finding(
        diagnosis=Failure.DIVERGENCE,
        horizon="now",
        severity="failure" if is_sure else "warning",
        confidence=0.7 if is_sure else 0.4,
        onset_step=int(first.step),
        summary=(
            f"{', '.join(log.series[tail.name].raw for tail in broken)}: not finite from {log.format_step(first.step)} to "
            f"the end of the log ({first.n_values} {values}){beside}: {why}. Its last value is {last}."
        ),
        evidence={tail.name: Evidence(None, None, int(tail.step)) for tail in broken},
        remedy=Remedy(
            advice=(
                f"keep the snapshot of {log.format_step(float(finite.steps[-1]))}; look at "
                + (
                    "samples of the weights that are evaluated (an average may hold NaN, samples may all be the same), "
                    "then at the evaluation itself"
                    if is_score
                    else "D's raw outputs from there on"
                )
            )
        ),
    )


def _nonfinite_again_finding(log: Log, tails: list[NonFiniteTail]) -> Finding:
    first = tails[0]
    return Finding(
        diagnosis=Failure.DIVERGENCE,
        horizon="now",
        severity="warning",
        confidence=0.5,
        onset_step=int(first.step),
        summary=(
            f"{', '.join(tail.name for tail in tails)}: not finite since {log.format_step(first.step)} "
            f"({first.n_values} values of {first.name}), longer than ever before; it has recovered from shorter spells."
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
