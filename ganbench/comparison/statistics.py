"""What few seeds can show, in plain functions of arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import stats

Array = np.ndarray[Any, Any]

RESAMPLES = 2000
LEVEL = 0.05  # of the two-sided test behind "worse"


def iqm(values: Array) -> float:
    """Interquartile mean: the mean of the middle half (Agarwal et al. 2021)."""
    return float(stats.trim_mean(values, 0.25)) if len(values) else math.nan


def iqm_interval(values: Array) -> tuple[float, float]:
    """95 % percentile bootstrap over seeds, the same at every call; not a number below two seeds."""
    if len(values) < 2:
        return math.nan, math.nan
    rows = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.percentile(stats.trim_mean(values[rows], 0.25, axis=1), [2.5, 97.5])
    return float(low), float(high)


def wilson_interval(failed: int, n: int) -> tuple[float, float]:
    """95 % Wilson interval of a failure rate."""
    interval = stats.binomtest(failed, n).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def p_better(ours: Array, theirs: Array) -> float:
    """Probability that a seed of ours beats one of theirs, ties half. Higher is better; a lost seed is -inf."""
    return float(((ours[:, None] > theirs).mean() + (ours[:, None] >= theirs).mean()) / 2)


def p_value(ours: Array, theirs: Array) -> float:
    """Two-sided permutation test of the rank sum: exact for few seeds, ties and lost seeds included; 1 for one seed."""
    n = len(ours)
    ranks = stats.rankdata(np.concatenate([ours, theirs]))
    if np.ptp(ranks) == 0 or min(len(ours), len(theirs)) < 2:
        return 1.0
    outcome = stats.permutation_test(
        (ranks[:n], ranks[n:]),
        lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis),
        vectorized=True,
        n_resamples=9999,
        rng=np.random.default_rng(0),
    )
    return float(outcome.pvalue)


def least_p_value(n: int, m: int) -> float:
    """The smallest two-sided p that so many seeds can reach: 0.10 for 3 against 3, 0.008 for 5 against 5."""
    return 2 / math.comb(n + m, n)
