"""Permutation tests between methods, corrected for how many methods there are and for which of them came first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np
from scipy import stats

from .statistics import Array

SIGNIFICANCE_LEVEL = 0.05  # of a whole comparison of methods by one metric on one data set
PERMUTATIONS = 9999
MAX_ENUMERATED = 20_000  # arrangements of a pair's values that are all tried, instead of a sample of them
MIN_ASYMPTOTIC = 50  # seeds of each method, from which on the normal distribution of their rank sums is used
CHUNK = 2_000_000  # numbers of a step of the computation, so that many methods fit the memory


def min_p_value(n: int, m: int) -> float:
    """Return the smallest two-sided p-value of `n` against `m` seeds: 0.10 for 3 against 3, 0.008 for 5 against 5."""
    return 2 / math.comb(n + m, n)


@lru_cache
def fewest_seeds(n_methods: int) -> int:
    """Return with how many seeds a method all of whose seeds beat those of another can be found better.

    It is 4 of two methods, 5 of six, 6 of twelve. Of more than twenty methods it is said as of twenty.
    """
    n_methods = min(max(n_methods, 2), 20)
    for n in range(2, 8):
        values = np.arange(n_methods * n, dtype=float).reshape(n_methods, n)
        if p_values(list(values))[0, 1] <= SIGNIFICANCE_LEVEL:
            return n
    return 8


def pair_p_value(ours: Array, theirs: Array) -> float:
    """Return the p-value of a two-sided permutation test of the rank sum; 1 if a method has a single seed.

    It is exact for few seeds, assumes nothing about the scores, and holds with ties and lost seeds (-inf). With many
    seeds the rank sum's normal distribution stands for its permutations (Mann and Whitney 1947), corrected for ties.
    """
    n = len(ours)
    if min(n, len(theirs)) < 2:
        return 1.0
    if min(n, len(theirs)) >= MIN_ASYMPTOTIC:
        p = float(stats.mannwhitneyu(ours, theirs, method="asymptotic").pvalue)
        return p if math.isfinite(p) else 1.0  # all values are one and the same
    ranks = _doubled_ranks(np.concatenate([ours, theirs]))
    observed = abs(int(ranks[:n].sum()) * len(ranks) - n * int(ranks.sum()))
    null = _null_of_pair(tuple(sorted(ranks.tolist())), n)
    return _tail(null, observed)


def p_values(groups: Sequence[Array]) -> Array:
    """Return for each pair of methods the p-value that they have the same distribution, as a symmetric matrix.

    Values are ranked over all methods, so a lost seed (-inf) is the worst there is, and a pair is judged by Welch's t of
    its ranks. Its p-value is the share of permutations of all values in which the largest t of any pair is at least as
    large (Westfall and Young 1993, "Resampling-based multiple testing"): of methods that are all equal, 5 % of whole
    comparisons have any pair below 0.05, whichever pair is looked at. Where methods differ from each other in spread,
    permuting all of them says too little of one pair, so no p-value is below that of the pair's own test. With many seeds
    of each method the normal distribution of their mean ranks stands for permutations.

    Args:
        groups: For each method its values over seeds: -inf for a lost one.
    """
    result = np.ones((len(groups), len(groups)))
    tested = [index for index, group in enumerate(groups) if len(group) > 1]
    if len(tested) < 2:
        return result
    sizes = tuple(len(groups[index]) for index in tested)
    ranks = _doubled_ranks(np.concatenate([groups[index] for index in tested]))
    together = _pair_statistics(ranks[None].astype(float), sizes)[0]
    null = None
    if len(tested) > 2:
        is_large = min(sizes) >= MIN_ASYMPTOTIC
        null = _normal_null_of_all(sizes) if is_large else _null_of_all(tuple(sorted(ranks.tolist())), sizes)
    for (i, j), statistic in zip(combinations(tested, 2), together, strict=True):
        alone = pair_p_value(groups[i], groups[j])
        result[i, j] = result[j, i] = alone if null is None else max(alone, _tail(null, statistic - 1e-9))
    return result


def _doubled_ranks(values: Array) -> Array:
    """Ranks with ties, doubled so that they are integers."""
    return np.rint(2 * stats.rankdata(values)).astype(np.int64)


def _pair_statistics(ranks: Array, sizes: tuple[int, ...]) -> Array:
    """The absolute Welch's t of each pair of groups: of shape (arrangements, pairs). Sums of ranks are exact."""
    starts, n = np.cumsum([0, *sizes[:-1]]), np.array(sizes)
    sums = np.add.reduceat(ranks, starts, axis=1)
    squares = np.add.reduceat(ranks * ranks, starts, axis=1)
    means = sums / n
    errors = (squares - sums * sums / n) / ((n - 1) * n)
    i, j = np.triu_indices(len(sizes), 1)
    gap, error = np.abs(means[:, i] - means[:, j]), np.sqrt(errors[:, i] + errors[:, j])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(gap < 1e-9, 0.0, gap / error)


@lru_cache(maxsize=64)
def _null_of_all(ranks: tuple[int, ...], sizes: tuple[int, ...]) -> Array:
    """The largest statistic of any pair in each permutation of all values, sorted."""
    rng = np.random.default_rng(0)
    pairs = len(sizes) * (len(sizes) - 1) // 2
    rows = max(1, CHUNK // max(len(ranks), pairs))
    largest = []
    for start in range(0, PERMUTATIONS, rows):
        repeated = np.tile(np.array(ranks, dtype=float), (min(rows, PERMUTATIONS - start), 1))
        largest.append(_pair_statistics(rng.permuted(repeated, axis=1), sizes).max(axis=1))
    return np.sort(np.concatenate([*largest, [math.inf]]))  # the arrangement that was observed is one of them


@lru_cache(maxsize=64)
def _normal_null_of_all(sizes: tuple[int, ...]) -> Array:
    """The largest statistic of any pair, drawn as often as there would be permutations, of many values, sorted.

    Permuted mean ranks are then normal, with variances in inverse proportion to the sizes of their groups, which differ from
    independent ones by a shift of all; and the variance within each group is that of the whole.
    """
    n, (i, j) = np.array(sizes), np.triu_indices(len(sizes), 1)
    rng = np.random.default_rng(0)
    rows = max(1, CHUNK // len(i))
    largest = []
    for start in range(0, PERMUTATIONS, rows):
        means = rng.standard_normal((min(rows, PERMUTATIONS - start), len(n))) / np.sqrt(n)
        largest.append((np.abs(means[:, i] - means[:, j]) / np.sqrt(1 / n[i] + 1 / n[j])).max(axis=1))
    return np.sort(np.concatenate([*largest, [math.inf]]))


@lru_cache(maxsize=1024)
def _null_of_pair(ranks: tuple[int, ...], n: int) -> Array:
    """The statistic of `pair_p_value` for each way to choose the first `n` of the values, sorted."""
    values, total = np.array(ranks), sum(ranks)
    if math.comb(len(ranks), n) <= MAX_ENUMERATED:
        sums = values[np.array(list(combinations(range(len(ranks)), n)))].sum(axis=1)
        return np.sort(np.abs(sums * len(ranks) - n * total))
    shuffled = np.random.default_rng(0).permuted(np.tile(values, (PERMUTATIONS, 1)), axis=1)
    sampled = np.abs(shuffled[:, :n].sum(axis=1) * len(ranks) - n * total).astype(float)
    return np.sort(np.append(sampled, math.inf))


def _tail(null: Array, observed: float) -> float:
    """The share of a sorted null distribution that is at least the observed value."""
    return float((len(null) - np.searchsorted(null, observed)) / len(null))
