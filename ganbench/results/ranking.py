"""Ranks methods by their scores over seeds, and says of each whether it differs from the one at the top."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy import stats

from .significance import SIGNIFICANCE_LEVEL, fewest_seeds, p_values
from .statistics import Array, Difference, half_width, iqm, paired_difference

Verdict = Literal["best", "better", "equivalent", "inconclusive", "worse", "baseline"]

MARGIN = 0.1  # below which a difference does not matter, as a share of the methods' distance from the floor
MIN_SEEDS_WITHOUT_SPREAD = 5  # from which on methods that score one and the same value in every seed are equivalent
MAX_SEEDS = 1000  # that are looked ahead for a decision


def p_better(ours: Array, theirs: Array) -> float:
    """Return the probability that a seed of `ours` beats one of `theirs`, ties counting half.

    Args:
        ours: A value for each seed, higher for better; -inf for a seed that was lost.
        theirs: The same of the other method.
    """
    return float(((ours[:, None] > theirs).mean() + (ours[:, None] >= theirs).mean()) / 2)


@dataclass(frozen=True)
class PairComparison:
    """Two methods compared, `method` being the better-ranked.

    Attributes:
        method: The better-ranked method.
        other: The other one.
        difference: What `other` has more than `method`, higher being better.
        p_better: Probability that a seed of `method` beats one of `other`.
        p_value: Of the corrected permutation test.
        verdict: `better`, `equivalent` or `inconclusive`, of `method`.
        seeds_needed: Seeds of each method with which an inconclusive pair would be decided, by what was seen so far; None
            if it is decided, or that cannot be said.
    """

    method: str
    other: str
    difference: Difference
    p_better: float
    p_value: float
    verdict: Verdict
    seeds_needed: int | None


@dataclass(frozen=True)
class MethodRank:
    """A method's rank, and its comparison with the top-ranked method or with a baseline.

    Attributes:
        rank: 1 for the best; equal ones share one.
        against: What it is compared with; itself for the top and for a baseline.
        p_better: Probability that a seed of `against` beats one of this method.
        p_value: Of the corrected permutation test; NaN for `against` itself.
        difference: What this method has more than `against`, higher being better.
        seeds_needed: Seeds of each method with which an inconclusive verdict would be decided; None if it is not
            inconclusive, or that cannot be said.
        verdict: See `rank_methods`.
    """

    rank: int
    against: str
    p_better: float
    p_value: float
    difference: Difference
    seeds_needed: int | None
    verdict: Verdict


@dataclass(frozen=True)
class Ranking:
    """Methods by rank, all pairs of them, and the margin within which they are equivalent.

    Attributes:
        methods: The rank and verdict of each method.
        pairs: Every pair, the better-ranked first.
        margin: The difference that does not matter, in units of the score; NaN where the floor is not known.
    """

    methods: Mapping[str, MethodRank]
    pairs: tuple[PairComparison, ...]
    margin: float


def rank_methods(
    values: Mapping[str, Array], floor: float = math.nan, margin: float = MARGIN, baseline: str | None = None
) -> Ranking:
    """Rank methods by their IQM over seeds, a lost seed being the worst value there is, and compare them.

    Against the top-ranked method, another one is `equivalent` if the 95 % interval of their difference lies within the
    margin and neither lost a seed; else `worse` if a permutation test, corrected for the number of pairs, says so at 5 %;
    else `inconclusive`. The top is `best` if all others are worse, `equivalent` if all others are one or the other; a
    single method is `inconclusive`, since there is nothing to compare it with. Against a baseline a method may also be
    `better`.

    Args:
        values: For each method a value for each seed, in one order of seeds: higher for better, -inf for a seed that was
            lost, NaN for one that was not tried.
        floor: What real samples score, on the same scale.
        margin: The difference that does not matter, as a share of the distance from the floor of the method that three
            quarters of the methods are not further from.
        baseline: The method to compare with, instead of the top.
    """
    ranks = _ranks(values)
    order = sorted(values, key=lambda name: ranks[name])
    within = margin * _distance_from_floor(values, floor)
    pairs = tuple(_compare_pairs(values, order, within))
    found = {(pair.method, pair.other): pair for pair in pairs}
    against = order[0] if baseline is None else baseline
    methods = {}
    for name in values:
        if name != against:
            first, second = (against, name) if (against, name) in found else (name, against)
            methods[name] = _against(found[first, second], name, ranks[name])
    methods[against] = _reference(
        against, values[against], ranks[against], list(methods.values()), baseline is not None
    )
    return Ranking({name: methods[name] for name in values}, pairs, within)


def _ranks(values: Mapping[str, Array]) -> dict[str, int]:
    """Ranks by the IQM with lost seeds as worst; then by how many were lost, then by the IQM of the others."""
    keys = []
    for mine in values.values():
        tried = mine[~np.isnan(mine)]
        survivors = tried[np.isfinite(tried)]
        keys.append(
            tuple(
                _rounded(value)
                for value in (
                    iqm(tried) if len(tried) else -math.inf,
                    len(survivors) / max(1, len(tried)),
                    iqm(survivors) if len(survivors) else -math.inf,
                )
            )
        )
    return {name: 1 + sum(other > key for other in keys) for name, key in zip(values, keys, strict=True)}


def _rounded(value: float) -> float:
    """A value without its last digits, in which equal scores differ by the order of a sum."""
    return float(f"{value:.12g}")


def _distance_from_floor(values: Mapping[str, Array], floor: float) -> float:
    distances = [abs(iqm(mine[np.isfinite(mine)]) - floor) for mine in values.values() if np.isfinite(mine).any()]
    return float(np.quantile(distances, 0.75)) if distances else math.nan


def _compare_pairs(values: Mapping[str, Array], order: list[str], margin: float) -> Iterator[PairComparison]:
    tried = {name: mine[~np.isnan(mine)] for name, mine in values.items()}
    p = p_values([tried[name] for name in order])
    for i, method in enumerate(order):
        for j, other in enumerate(order[i + 1 :], i + 1):
            difference = paired_difference(values[other], values[method])
            ours, theirs = tried[method], tried[other]
            verdict: Verdict = "inconclusive"
            if is_equivalent(ours, theirs, difference, margin):
                verdict = "equivalent"  # whether significant or not: it does not matter
            elif p[i, j] <= SIGNIFICANCE_LEVEL and np.isfinite(ours).any():
                verdict = "better"
            needed = None
            if verdict == "inconclusive":
                needed = _seeds_needed(difference, margin, max(len(ours), len(theirs)), len(order))
            chance = p_better(ours, theirs) if len(ours) and len(theirs) else math.nan
            yield PairComparison(method, other, difference, chance, float(p[i, j]), verdict, needed)


def is_equivalent(ours: Array, theirs: Array, difference: Difference, margin: float) -> bool:
    """Return whether two methods differ by less than the margin: by their interval, and no seed of either was lost.

    Methods that have one and the same value in every seed have no interval; they are equivalent from five seeds on.
    """
    both = np.concatenate([ours, theirs])
    if not len(both) or not np.isfinite(both).all():
        return False
    if np.ptp(both) == 0:
        return min(len(ours), len(theirs)) >= MIN_SEEDS_WITHOUT_SPREAD
    return -margin <= difference.low and difference.high <= margin


def _seeds_needed(difference: Difference, margin: float, n: int, n_methods: int) -> int | None:
    """The fewest seeds with which a difference and spread like those seen would be significant or within the margin."""
    gap, spread = abs(difference.value), difference.spread
    if not math.isfinite(spread):
        return None
    seeds, to_detect, to_bound = _errors_per_spread(n_methods)
    detected = (gap > to_detect * spread) & (seeds >= fewest_seeds(n_methods))
    same = gap + to_bound * spread <= margin
    if spread == 0:
        same &= seeds >= MIN_SEEDS_WITHOUT_SPREAD
    decided = seeds[(detected | same) & (seeds > n)]
    return int(decided[0]) if len(decided) else None


@lru_cache
def _errors_per_spread(n_methods: int) -> tuple[Array, Array, Array]:
    """Numbers of seeds; how far apart methods must be for a significant difference, and the half of a 95 % interval.

    Both are in units of the standard deviation of differences by seed.
    """
    seeds = np.arange(2, MAX_SEEDS + 1)
    corrected = SIGNIFICANCE_LEVEL / (n_methods * (n_methods - 1))  # two-sided, of each pair
    to_detect = stats.t.ppf(1 - corrected, 2 * seeds - 2) / np.sqrt(seeds)
    return seeds, to_detect, np.array([half_width(int(n)) for n in seeds])


def _against(pair: PairComparison, name: str, rank: int) -> MethodRank:
    """The pair as seen from `name`: the better-ranked one of it or the other."""
    if name == pair.other:
        verdict: Verdict = "worse" if pair.verdict == "better" else pair.verdict
        return MethodRank(rank, pair.method, pair.p_better, pair.p_value, pair.difference, pair.seeds_needed, verdict)
    d = pair.difference
    turned = Difference(-d.value, -d.high, -d.low, d.pairs, d.spread)
    return MethodRank(rank, pair.other, 1 - pair.p_better, pair.p_value, turned, pair.seeds_needed, pair.verdict)


def _reference(name: str, values: Array, rank: int, others: list[MethodRank], is_baseline: bool) -> MethodRank:
    """The row of the method that the others are compared with."""
    verdicts = {other.verdict for other in others}
    needed = None
    if is_baseline:
        verdict: Verdict = "baseline"
    elif not others or not np.isfinite(values).any():
        verdict = "inconclusive"  # there is nothing to compare with, or no method has a score
    elif verdicts <= {"worse"}:
        verdict = "best"
    elif "inconclusive" in verdicts:
        verdict = "inconclusive"
        open_ = [other.seeds_needed for other in others if other.verdict == "inconclusive"]
        needed = None if None in open_ else max(n for n in open_ if n is not None)
    else:
        verdict = "equivalent"
    itself = Difference(
        0.0 if np.isfinite(values).any() else math.nan, math.nan, math.nan, int(np.isfinite(values).sum()), math.nan
    )
    return MethodRank(rank, name, 0.5, math.nan, itself, needed, verdict)
