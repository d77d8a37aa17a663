"""Compares two runs, or two methods, seed by seed: is the newer one better, worse, equivalent, or can it not be told?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..contract.errors import RequestError, did_you_mean
from .comparison_tables import Compared, compare_all, difference_columns
from .merge import StoredRun, read_run
from .ranking import MARGIN, MethodRank, Verdict, is_equivalent, rank_methods
from .significance import SIGNIFICANCE_LEVEL
from .statistics import Array, iqm
from .store import Store
from .tables import scores_table, trials_table

VERSIONS = [
    *("dataset", "method", "metric", "better", "verdict", "old", "new", "delta", "delta_low", "delta_high", "n_pairs"),
    *("margin", "p_value", "seeds_needed", "old_failed", "old_seeds", "new_failed", "new_seeds"),
]


@dataclass(frozen=True)
class Version:
    """One side of the comparison.

    Attributes:
        store: A folder of results.
        method: The method in it; None for all of them, each with its namesake on the other side.
    """

    store: Store
    method: str | None = None


@dataclass(frozen=True)
class VersionComparison:
    """Two versions compared.

    Attributes:
        table: A row for each data set, method and metric that both have.
        left_out: A line for each thing that one of them lacks, or that cannot be compared.
    """

    table: pd.DataFrame
    left_out: tuple[str, ...]


def compare_versions(old: Version, new: Version, margin: float = MARGIN) -> VersionComparison:
    """Compare two versions on each data set by each metric that both have.

    The new one is `equivalent` if the 95 % interval of the difference lies within the margin, or every seed ended with the
    same score; else `better` or `worse` by the permutation test of the ranks, at 5 % for all methods on a data set by a
    metric together (Holm 1979); else `inconclusive`.

    Args:
        old: What it is compared with.
        new: What is compared.
        margin: The difference that does not matter, as a share of the larger distance from the floor.

    Raises:
        RequestError: If a folder holds no run, there is no such method, or nothing is common to both.
    """
    (older, damaged), (newer, damaged_newer) = _read_side(old), _read_side(new)
    sides = [older, newer]
    left_out = [*damaged, *damaged_newer]
    rows: list[dict[str, object]] = []
    for key in sides[0]:
        if key not in sides[1]:
            left_out.append(f"{key[1]} on {key[0]}: the newer one was not scored by it")
            continue
        one, other = sides[0][key], sides[1][key]
        if why := _why_not_comparable(one, other):
            left_out.append(f"{key[1]} on {key[0]}: {why}")
            continue
        pairs = _matching_methods(one, other, old.method, new.method)
        lacking = sorted({*one.final, *other.final} - {name for pair in pairs for name in pair})
        if old.method is None and new.method is None and lacking:
            left_out.append(f"{key[1]} on {key[0]}: {', '.join(lacking)}: one of the runs has it only")
        rows += _rows([_compare_pair(one, other, a, b, margin) for a, b in pairs])
    left_out += [f"{key[1]} on {key[0]}: the older one was not scored by it" for key in sides[1] if key not in sides[0]]
    if not rows:
        raise RequestError("; ".join(["nothing is common to both that could be compared", *left_out[:1]]))
    return VersionComparison(pd.DataFrame(rows, columns=VERSIONS), tuple(dict.fromkeys(left_out)))


def _read_side(version: Version) -> tuple[dict[tuple[str, str], Compared], Sequence[str]]:
    """Return what a version scored by data set and metric, and a line for each trial that cannot be read."""
    run: StoredRun = read_run(version.store)
    trials = trials_table(run.results)
    methods = [str(name) for name in dict.fromkeys(trials.method)]
    if version.method is not None and version.method not in methods:
        raise RequestError(
            f"{version.store.folder}: no method is called {version.method!r}; {did_you_mean(version.method, methods)}"
        )
    compared = compare_all(trials, scores_table(run.results))
    return {(str(one.labels["dataset"]), str(one.labels["metric"])): one for one in compared}, run.damaged


def _why_not_comparable(one: Compared, other: Compared) -> str:
    """Why the scores of two runs are not on one scale; empty if they are."""
    if one.better != other.better:
        return f"{one.better} is better in one run and {other.better} in the other"
    for column, what in (("n_fake", "generated"), ("n_real", "real")):
        counts = [sorted(set(side.scores[column])) for side in (one, other)]
        if counts[0] and counts[1] and counts[0] != counts[1]:
            return f"it was scored with {counts[0][0]} {what} samples and with {counts[1][0]}, which do not compare"
    return ""


def _matching_methods(one: Compared, other: Compared, old: str | None, new: str | None) -> list[tuple[str, str]]:
    if old is None and new is None:
        return [(name, name) for name in one.final if name in other.final]
    pair = (old or new or "", new or old or "")
    return [pair] if pair[0] in one.final and pair[1] in other.final else []


@dataclass(frozen=True)
class _Pair:
    """An old and a new method on one data set by one metric, aligned by seed."""

    sides: tuple[Compared, Compared]
    names: tuple[str, str]
    values: tuple[Array, Array]
    ranked: MethodRank
    margin: float


def _compare_pair(one: Compared, other: Compared, old: str, new: str, margin: float) -> _Pair:
    seeds = sorted({*one.seeds, *other.seeds})
    values = _align(one, old, seeds), _align(other, new, seeds)
    floors = [side.sign * side.floor for side in (one, other) if math.isfinite(side.floor)]
    floor = float(np.mean(floors)) if floors else math.nan
    ranking = rank_methods({"old": values[0], "new": values[1]}, floor, margin, baseline="old")
    return _Pair((one, other), (old, new), values, ranking.methods["new"], ranking.margin)


def _align(compared: Compared, method: str, seeds: Sequence[int]) -> Array:
    by_seed = dict(zip(compared.seeds, compared.final[method], strict=True))
    return np.array([by_seed.get(seed, math.nan) for seed in seeds])


def _rows(pairs: Sequence[_Pair]) -> Iterator[dict[str, object]]:
    """Yield the rows of the methods on one data set by one metric, their p-values corrected together."""
    for pair, p in zip(pairs, _holm([pair.ranked.p_value for pair in pairs]), strict=True):
        one, other = pair.sides
        verdict = _verdict(pair, p)
        yield {
            "dataset": one.labels["dataset"],
            "method": " → ".join(dict.fromkeys(pair.names)),
            "metric": one.labels["metric"],
            "better": one.better,
            "verdict": verdict,
            "old": one.sign * iqm(pair.values[0][np.isfinite(pair.values[0])]),
            "new": one.sign * iqm(pair.values[1][np.isfinite(pair.values[1])]),
            **difference_columns(pair.ranked.difference, one.sign),
            "margin": pair.margin,
            "p_value": p,
            "seeds_needed": pair.ranked.seeds_needed if verdict == "inconclusive" else None,
            "old_failed": int(one.trials[pair.names[0]].failed.sum()),
            "old_seeds": len(one.trials[pair.names[0]]),
            "new_failed": int(other.trials[pair.names[1]].failed.sum()),
            "new_seeds": len(other.trials[pair.names[1]]),
        }


def _holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number by Holm's procedure."""
    corrected = [1.0] * len(p_values)
    largest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        largest = max(largest, min(1.0, p_values[index] * (len(p_values) - place)))
        corrected[index] = largest
    return corrected


def _verdict(pair: _Pair, p: float) -> Verdict:
    old, new = (side[~np.isnan(side)] for side in pair.values)
    if len(old) and np.array_equal(*pair.values, equal_nan=True):
        return "equivalent"  # the same run twice
    if is_equivalent(new, old, pair.ranked.difference, pair.margin):
        return "equivalent"
    return pair.ranked.verdict if p <= SIGNIFICANCE_LEVEL else "inconclusive"
