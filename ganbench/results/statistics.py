"""Statistics of few seeds: estimates with intervals, and ranks of methods with verdicts.

Plain functions of arrays with one value per seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import stats

Array = np.ndarray[Any, Any]
Verdict = Literal["best", "tied", "inconclusive", "worse"]

RESAMPLES = 2000  # of a bootstrap
SIGNIFICANCE_LEVEL = 0.05  # of the two-sided test behind the verdict "worse"


# --- estimates and intervals -------------------------------------------------------------------------


def iqm(values: Array) -> float:
    """Return the interquartile mean, the mean of the middle half (Agarwal et al. 2021); NaN of no values."""
    return float(stats.trim_mean(values, 0.25)) if len(values) else math.nan


def iqm_interval(values: Array) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the IQM over seeds, the same at every call.

    It is (NaN, NaN) for fewer than two seeds.
    """
    if len(values) < 2:
        return math.nan, math.nan
    rows = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.percentile(stats.trim_mean(values[rows], 0.25, axis=1), [2.5, 97.5])
    return float(low), float(high)


def wilson_interval(failed: int, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of the rate `failed / n`."""
    interval = stats.binomtest(failed, n).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


# --- two methods -------------------------------------------------------------------------------------


def p_better(ours: Array, theirs: Array) -> float:
    """Return the probability that a seed of `ours` beats one of `theirs`, ties counting half.

    Args:
        ours: A value for each seed, higher for better; -inf for a seed that was lost.
        theirs: The same of the other method.
    """
    return float(((ours[:, None] > theirs).mean() + (ours[:, None] >= theirs).mean()) / 2)


def p_value(ours: Array, theirs: Array) -> float:
    """Return the p-value of a two-sided permutation test of the rank sum; 1 if a method has a single seed.

    The test is exact for few seeds, and holds with ties and lost seeds (-inf).
    """
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


def min_p_value(n: int, m: int) -> float:
    """Return the smallest two-sided p-value of `n` against `m` seeds: 0.10 for 3 against 3, 0.008 for 5 against 5."""
    return 2 / math.comb(n + m, n)


# --- many methods ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MethodRank:
    """A method's rank, the probability that the top-ranked method beats it, and the verdict of that comparison."""

    rank: int
    p_better: float
    verdict: Verdict


def rank_methods(values: Mapping[str, Array]) -> dict[str, MethodRank]:
    """Rank methods by their probability of beating the others, seed by seed.

    Against the top-ranked method, another one is `worse` if a two-sided permutation test says so at 5 %,
    `inconclusive` if so few seeds could not have said it, and `tied` otherwise.

    Args:
        values: For each method, a value for each seed: higher for better, -inf for a seed that was lost. So a failure
            counts against its method.
    """
    chances = {
        name: np.mean([p_better(mine, other) for rival, other in values.items() if rival != name] or [1.0])
        for name, mine in values.items()
    }
    ordinals = stats.rankdata([-round(float(chance), 12) for chance in chances.values()], method="min")
    ranks = dict(zip(chances, (int(rank) for rank in ordinals), strict=True))
    top = min(ranks, key=lambda name: ranks[name])
    verdicts = {name: _compare_to_top(values[top], other) for name, other in values.items() if name != top}
    return {
        name: MethodRank(
            rank=ranks[name],
            p_better=0.5 if name == top else p_better(values[top], values[name]),
            verdict=_verdict_of_top(list(verdicts.values())) if name == top else verdicts[name],
        )
        for name in values
    }


def _compare_to_top(top: Array, other: Array) -> Verdict:
    if not np.isfinite(top).any():
        return "inconclusive"  # no method has a score
    if np.array_equal(np.sort(top), np.sort(other)):
        return "tied"
    if min_p_value(len(top), len(other)) > SIGNIFICANCE_LEVEL:
        return "inconclusive"
    return "worse" if p_value(top, other) <= SIGNIFICANCE_LEVEL else "tied"


def _verdict_of_top(others: list[Verdict]) -> Verdict:
    if "tied" in others:
        return "tied"
    return "inconclusive" if "inconclusive" in others else "best"
