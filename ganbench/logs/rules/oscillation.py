"""Players that chase each other: losses that swing with a period, a score that goes up and down."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...contract.records import Evidence, Finding, Remedy
from ..log import Array, Log, Series
from .quality import Quality, quality_of

FEWEST = 40  # losses below which a period cannot be told from noise
AGAIN = 0.6  # correlation of a series with itself one period later
AGAINST = -0.4  # and half a period later
PERIODS = 4  # that must have been seen
LARGE = 0.3  # of its size: by so much a loss must swing (standard deviation)
TURN = 1.5  # times: what a score must go up or down by
TURNS = 4


def findings(log: Log) -> Iterator[Finding]:
    """At most one. Where there is a score, and it does not swing, losses that do are no failing."""
    quality = quality_of(log)
    periods = {name: found for name in ("loss_d", "loss_g") if (found := _period(log.get(name, FEWEST)))}
    turns = _turns(quality) if quality is not None else []
    if (quality is None and not periods) or (quality is not None and len(turns) < TURNS):
        return
    evidence = {name: Evidence(correlation, AGAIN, int(at)) for name, (_, correlation, _, at) in periods.items()}
    texts = [f"{name} swings with a period of about {period:.3g} {log.unit}s" for name, (period, *_) in periods.items()]
    onsets = [begin for _, _, begin, _ in periods.values()]
    if quality is not None:
        evidence[quality.name] = quality.series.last(float(quality.series.values[quality.best]) * TURN)
        texts.append(f"{quality.series.raw} has turned {len(turns)} times by a factor of {TURN} or more")
        onsets = [float(quality.series.steps[turns[0]])]
    yield Finding(
        diagnosis="oscillation",
        horizon="now",
        severity="warning",
        confidence=0.6 if quality is not None and periods else 0.4 if quality is not None else 0.3,
        onset_step=int(min(onsets)),
        summary="; ".join(texts) + ": the players may be chasing each other.",
        evidence=evidence,
        remedy=Remedy.parse('regularizers = ["r1", "r2"]'),
    )


def _period(series: Series | None) -> tuple[float, float, float, float] | None:
    """Period in steps, correlation one period later, and the first and last step it was read from: the second half."""
    if series is None:
        return None
    values, steps = series.values[len(series) // 2 :], series.steps[len(series) // 2 :]
    rest = values - np.polyval(np.polyfit(np.arange(len(values)), values, 1), np.arange(len(values)))
    spread = float(rest.std())
    if not np.isfinite(spread) or spread <= LARGE * float(np.abs(values).mean()):
        return None
    lags = _autocorrelation(rest)[: len(rest) // PERIODS]
    against = np.flatnonzero(lags <= AGAINST)
    if not len(against) or against[0] + 1 >= len(lags):
        return None
    lag = int(against[0] + 1 + np.argmax(lags[against[0] + 1 :]))
    if lags[lag] < AGAIN:
        return None
    return float(lag * (steps[-1] - steps[0]) / (len(steps) - 1)), float(lags[lag]), float(steps[0]), float(steps[-1])


def _autocorrelation(rest: Array) -> Array:
    """Of a series without trend, at each lag, each over the pairs that there are."""
    n = len(rest)
    spectrum = np.fft.rfft(rest, 2 * n)
    sums = np.fft.irfft(spectrum * spectrum.conj())[:n]
    correlations: Array = sums / np.arange(n, 0, -1) / max(float(rest.var()), 1e-300)
    return correlations


def _turns(quality: Quality) -> list[int]:
    """Where the score turned, counting only ways up and down by `TURN`; empty where it has calmed down since."""
    size = np.log(quality.worse)
    turns: list[int] = []
    low = high = 0
    direction = 0
    for i in range(1, len(size)):
        low, high = (i if size[i] <= size[low] else low), (i if size[i] >= size[high] else high)
        if direction >= 0 and size[high] - size[i] >= np.log(TURN):
            turns += [high] if direction else []
            direction, low = -1, i
        elif direction <= 0 and size[i] - size[low] >= np.log(TURN):
            turns += [low] if direction else []
            direction, high = 1, i
    return turns if turns and turns[-1] >= len(size) // 2 else []
