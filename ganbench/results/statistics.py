"""Estimates from few seeds, each with a 95 % interval. Plain functions of arrays with one value per seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import stats

Array = np.ndarray[Any, Any]

IQM_STANDARD_ERROR = 1.08  # over that of the mean: 1.04 to 1.09 for four and more normal values


def iqm(values: Array) -> float:
    """Return the interquartile mean, the mean of the middle half (Agarwal et al. 2021); NaN of no values.

    A quarter of the values, rounded down, is left out at either end: of three seeds none. A lost seed is -inf.
    """
    n = len(values)
    if not n:
        return math.nan
    cut = n // 4
    return float(np.partition(values, (cut, n - cut - 1))[cut : n - cut].mean())


def iqm_interval(values: Array) -> tuple[float, float]:
    """Return a 95 % interval of the IQM over seeds: Student's t about it, with the standard error of the mean.

    A percentile bootstrap of three or five values covers far less than it says. The standard error of the mean grows with
    a tail that the IQM leaves out, so this covers skewed scores too (`benchmarks/simulated_studies.py`); from four seeds on,
    where the IQM leaves values out, it is widened by what normal scores ask for. It is (NaN, NaN) where no spread was seen:
    for fewer than two seeds, and where all have one value.
    """
    return _interval_about(iqm(values), values)


@lru_cache(maxsize=1024)
def wilson_interval(failed: int, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of the rate `failed / n`."""
    interval = stats.binomtest(failed, n).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


@dataclass(frozen=True)
class Difference:
    """The difference of two methods' IQMs over the seeds that both have, with its 95 % interval.

    Attributes:
        value: The difference; NaN without a common seed.
        low: Lower end of the interval; NaN where no spread was seen.
        high: Upper end.
        pairs: Seeds that both methods ended with a score.
        spread: Standard deviation of the differences by seed.
    """

    value: float
    low: float
    high: float
    pairs: int
    spread: float


def paired_difference(ours: Array, theirs: Array) -> Difference:
    """Return the difference `ours - theirs`, paired by seed.

    Args:
        ours: A value for each seed; not finite where there is none.
        theirs: Those of the other method, in the same order of seeds.
    """
    both = np.isfinite(ours) & np.isfinite(theirs)
    value = iqm(ours[both]) - iqm(theirs[both])
    differences = ours[both] - theirs[both]
    low, high = _interval_about(value, differences)
    spread = float(differences.std(ddof=1)) if both.sum() > 1 else math.nan
    return Difference(value, low, high, int(both.sum()), spread)


def area_under_curve(steps: Array, values: Array) -> float:
    """Return the mean of a score over training by the trapezoidal rule: the area under its curve over the steps' range."""
    if len(values) < 2 or steps[-1] <= steps[0]:
        return float(values[-1]) if len(values) else math.nan
    return float(np.trapezoid(values, steps) / (steps[-1] - steps[0]))


def _interval_about(centre: float, values: Array) -> tuple[float, float]:
    n = len(values)
    if n < 2 or np.ptp(values) <= 1e-12 * np.abs(values).max():
        return math.nan, math.nan
    half = half_width(n) * float(values.std(ddof=1))
    return centre - half, centre + half


@lru_cache(maxsize=2048)
def half_width(n: int) -> float:
    """Return the half of the 95 % interval of the IQM of `n` seeds, in standard deviations of their values."""
    widened = IQM_STANDARD_ERROR if n >= 4 else 1.0
    return widened * float(stats.t.ppf(0.975, n - 1)) / math.sqrt(n)
