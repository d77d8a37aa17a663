"""Oscillation: losses that are periodic, a quality score that goes up and down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...contract.failures import Failure
from ...contract.records import Evidence, Finding, Remedy
from ..log import Array, Log, Series
from .quality import Quality, quality_of

MIN_LOSSES = 40  # fewer do not distinguish a period from noise
MIN_CORRELATION = 0.6  # of a series with itself one period later
MAX_HALF_PERIOD_CORRELATION = -0.4  # and half a period later
MIN_PERIODS = 4
MIN_RELATIVE_STD = 0.3  # of a loss, relative to its mean magnitude
TURN_FACTOR = 1.5  # by which a score must rise or fall between two turns
MIN_TURNS = 4


@dataclass(frozen=True)
class Period:
    """A periodic series: the period in steps, the autocorrelation there, and the steps it was measured between."""

    steps: float
    correlation: float
    first_step: float
    last_step: float


def findings(log: Log) -> Iterator[Finding]:
    """Yield at most one finding. Periodic losses are fine if a quality score was logged and does not oscillate."""
    quality = quality_of(log)
    losses = {name: log.get(name, MIN_LOSSES) for name in ("loss_d", "loss_g")}
    periods = {name: period for name, loss in losses.items() if loss and (period := _find_period(loss))}
    turns = _find_turns(quality) if quality is not None else []
    if (quality is None and not periods) or (quality is not None and len(turns) < MIN_TURNS):
        return
    evidence = {
        name: Evidence(period.correlation, MIN_CORRELATION, int(period.last_step)) for name, period in periods.items()
    }
    texts = [f"{name} has a period of about {period.steps:.3g} {log.unit}s" for name, period in periods.items()]
    onset = min((period.first_step for period in periods.values()), default=0.0)
    if quality is not None:
        threshold = float(quality.series.values[quality.best]) * TURN_FACTOR
        evidence[quality.name] = quality.series.last_as_evidence(threshold)
        texts.append(f"{quality.series.raw} has turned {len(turns)} times by a factor of {TURN_FACTOR} or more")
        onset = float(quality.series.steps[turns[0]])
    yield Finding(
        diagnosis=Failure.OSCILLATION,
        horizon="now",
        severity="warning",
        confidence=0.6 if quality is not None and periods else 0.4 if quality is not None else 0.3,
        onset_step=int(onset),
        summary="; ".join(texts) + ": the players may be oscillating around an equilibrium.",
        evidence=evidence,
        remedy=Remedy(
            {"regularizers": ["r1", "r2"]},
            "gradient penalties on real and on generated samples (R1, R2), or lower learning rates",
        ),
    )


def _find_period(series: Series) -> Period | None:
    """Return the period of the second half of a series, None if that is not periodic.

    Of several values at one step their mean counts: rows of several processes or kinds of samples take turns.
    """
    all_steps, where, counts = np.unique(series.steps, return_inverse=True, return_counts=True)
    all_values = np.bincount(where, weights=series.values) / counts
    half = len(all_steps) // 2
    values, steps = all_values[half:], all_steps[half:]
    if len(steps) < MIN_LOSSES // 2:
        return None
    index = np.arange(len(values))
    residual = values - np.polyval(np.polyfit(index, values, 1), index)
    std = float(residual.std())
    if not np.isfinite(std) or std <= MIN_RELATIVE_STD * float(np.abs(values).mean()):
        return None
    correlations = _autocorrelation(residual)[: len(residual) // MIN_PERIODS]
    opposed = np.flatnonzero(correlations <= MAX_HALF_PERIOD_CORRELATION)
    if not len(opposed) or opposed[0] + 1 >= len(correlations):
        return None
    lag = int(opposed[0] + 1 + np.argmax(correlations[opposed[0] + 1 :]))
    if correlations[lag] < MIN_CORRELATION:
        return None
    period = float(lag * (steps[-1] - steps[0]) / (len(steps) - 1))
    return Period(period, float(correlations[lag]), float(steps[0]), float(steps[-1]))


def _autocorrelation(residual: Array) -> Array:
    """Return the autocorrelation of a series without trend at each lag, averaged over the pairs at that lag."""
    n = len(residual)
    spectrum = np.fft.rfft(residual, 2 * n)
    sums = np.fft.irfft(spectrum * spectrum.conj())[:n]
    correlations: Array = sums / np.arange(n, 0, -1) / max(float(residual.var()), 1e-300)
    return correlations


def _find_turns(quality: Quality) -> list[int]:
    """Return the indices of the score's turns by `TURN_FACTOR`, none if it has calmed down in the second half."""
    log_score = np.log(quality.relative)
    turns: list[int] = []
    low = high = 0
    direction = 0
    for i in range(1, len(log_score)):
        low = i if log_score[i] <= log_score[low] else low
        high = i if log_score[i] >= log_score[high] else high
        if direction >= 0 and log_score[high] - log_score[i] >= np.log(TURN_FACTOR):
            turns += [high] if direction else []
            direction, low = -1, i
        elif direction <= 0 and log_score[i] - log_score[low] >= np.log(TURN_FACTOR):
            turns += [low] if direction else []
            direction, high = 1, i
    return turns if turns and turns[-1] >= len(log_score) // 2 else []
