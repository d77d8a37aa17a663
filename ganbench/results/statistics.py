"""What few seeds can show, in plain functions of arrays.

Methods against each other on one metric of one data set: ranks that admit ties, and verdicts that admit doubt.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Standing:
    """A method's place: its rank, the probability that the top method beats it, and the verdict."""

    rank: int
    p_better: float
    verdict: str


def rank_methods(values: Mapping[str, Array]) -> dict[str, Standing]:
    """Rank methods by their chance to beat the others seed by seed.

    `values` holds a value per seed, turned so that higher is better, -inf for a seed that was lost: so a failure
    counts against its method, in the rank too. Against the top method, each other one is `worse` where a
    two-sided permutation test says so at 5 %, `inconclusive` where so few seeds could not have said it, else `tied`.
    """
    chances = {
        name: np.mean([p_better(mine, other) for rival, other in values.items() if rival != name] or [1.0])
        for name, mine in values.items()
    }
    ranks = stats.rankdata([-round(float(chance), 12) for chance in chances.values()], method="min")
    places = dict(zip(chances, (int(rank) for rank in ranks), strict=True))
    top = min(places, key=lambda name: places[name])
    verdicts = {name: _compare_to_top(values[top], other) for name, other in values.items() if name != top}
    return {
        name: Standing(
            rank=places[name],
            p_better=0.5 if name == top else p_better(values[top], values[name]),
            verdict=_rank_top(list(verdicts.values())) if name == top else verdicts[name],
        )
        for name in values
    }


def _compare_to_top(top: Array, other: Array) -> str:
    if not np.isfinite(top).any():
        return "inconclusive"  # nobody has a score
    if np.array_equal(np.sort(top), np.sort(other)):
        return "tied"
    if least_p_value(len(top), len(other)) > LEVEL:
        return "inconclusive"
    return "worse" if p_value(top, other) <= LEVEL else "tied"


def _rank_top(others: list[str]) -> str:
    for verdict in ("tied", "inconclusive"):
        if verdict in others:
            return verdict
    return "best"
