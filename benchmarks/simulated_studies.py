"""Try the comparison's statistics on studies whose truth is known: do intervals cover, and are verdicts right?

    python benchmarks/simulated_studies.py [--studies 2000] [--output results/reference/statistics]

A study is 6 methods with 3, 5 or 10 seeds on one data set by one metric. Scores are drawn as stored ones look: distances
with a long tail, shares that crowd below 1, counts of modes that mostly reach the maximum, and scores of which some
seeds collapse; seeds fail, and some of those that fail are lost. In half of the studies all methods are equal. Writes
`coverage.csv` and `verdicts.csv` in about three minutes on one core, with the same numbers every time.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ganbench.results.ranking import rank_methods
from ganbench.results.statistics import Array, iqm, iqm_interval, wilson_interval

METHODS = 6
SEEDS = (3, 5, 10)
TRUTH = 4000  # values that a method's true IQM is measured with
FAILURE_RATE = (0.6, 2.4)  # of a method: a Beta distribution, with one in five on average, as stored methods fail
LOST_OF_FAILED = 0.25  # of the failed seeds those that are lost; the others end with a score


@dataclass(frozen=True)
class Population:
    """What a method's scores are drawn from, higher being better.

    Attributes:
        draw: Returns that many scores.
        failure_rate: The probability that a seed fails.
    """

    draw: Callable[[int], Array]
    failure_rate: float


def distances(rng: np.random.Generator, spread: float, floor: float) -> Callable[[int], Array]:
    """A distance, as Fréchet's or the energy distance: lognormal about a level, negated."""
    level = math.exp(rng.normal(0, 1))
    return lambda n: floor - level * np.exp(spread * rng.normal(size=n))


def shares(rng: np.random.Generator, spread: float, floor: float) -> Callable[[int], Array]:
    """A share, as precision or recall: logit-normal."""
    level = rng.normal(0.5, 1.2)
    return lambda n: 1 / (1 + np.exp(-(level + 2 * spread * rng.normal(size=n))))


def counts(rng: np.random.Generator, spread: float, floor: float) -> Callable[[int], Array]:
    """A count of 25 modes: all of them in most seeds, or a few less."""
    missing = math.exp(rng.normal(0, 1.2))
    return lambda n: np.maximum(0, 25 - rng.poisson(missing * np.exp(spread * rng.normal(size=n)))).astype(float)


def collapses(rng: np.random.Generator, spread: float, floor: float) -> Callable[[int], Array]:
    """A distance, some seeds of which collapse to 20 times that."""
    level, rate = math.exp(rng.normal(0, 1)), rng.choice([0.05, 0.1, 0.15])

    def draw(n: int) -> Array:
        factor = np.where(rng.random(n) < rate, 20.0, 1.0)
        return floor - level * factor * np.exp(spread * rng.normal(size=n))

    return draw


FAMILIES = {
    "distances": (distances, 0.0),
    "shares": (shares, 1.0),
    "counts": (counts, 25.0),
    "collapses": (collapses, 0.0),
}


def populations(rng: np.random.Generator, family: str, are_equal: bool) -> tuple[list[Population], float]:
    """Return the methods of a study, and the floor of its metric."""
    make, floor = FAMILIES[family]

    def one() -> Population:
        spread = math.exp(rng.uniform(math.log(0.03), math.log(0.7)))
        return Population(make(rng, spread, floor), float(rng.beta(*FAILURE_RATE)))

    return [one()] * METHODS if are_equal else [one() for _ in range(METHODS)], floor


def run_study(
    rng: np.random.Generator, family: str, n: int, are_equal: bool
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return for each interval of a study whether it covers, and what its verdicts got wrong."""
    methods, floor = populations(rng, family, are_equal)
    truth = (
        [iqm(method.draw(TRUTH)) for method in methods] if not are_equal else [iqm(methods[0].draw(TRUTH))] * METHODS
    )
    values, failures = {}, []
    for index, method in enumerate(methods):
        scores = method.draw(n)
        failed = rng.random(n) < method.failure_rate
        scores[failed & (rng.random(n) < LOST_OF_FAILED)] = -math.inf
        values[str(index)] = scores
        failures.append(int(failed.sum()))
    ranking = rank_methods(values, floor)
    labels = {"family": family, "seeds": n, "equal": are_equal}
    rows = []

    def judge(what: str, low: float, high: float, true: float) -> None:
        if math.isfinite(low):
            rows.append({**labels, "interval": what, "covers": low <= true <= high})

    for index, method in enumerate(methods):
        scores = values[str(index)]
        judge("IQM", *iqm_interval(scores[np.isfinite(scores)]), truth[index])
        judge("failure rate", *wilson_interval(failures[index], n), method.failure_rate)
        ranked = ranking.methods[str(index)]
        if ranked.against != str(index):
            d = ranked.difference
            judge("difference to the top", d.low, d.high, truth[index] - truth[int(ranked.against)])
    for pair in ranking.pairs:
        d = pair.difference
        judge("difference of a pair", d.low, d.high, truth[int(pair.other)] - truth[int(pair.method)])
    verdicts = [ranked.verdict for ranked in ranking.methods.values()]
    gaps = {pair: abs(truth[int(pair.other)] - truth[int(pair.method)]) for pair in ranking.pairs}
    differing = [pair for pair, gap in gaps.items() if gap > ranking.margin]
    near = [pair for pair in differing if gaps[pair] < 1.5 * ranking.margin]
    return rows, {
        **labels,
        "best_or_worse": "best" in verdicts or "worse" in verdicts,
        "decided": sum(verdict != "inconclusive" for verdict in verdicts),
        "differing": len(differing),
        "differing_called_equivalent": sum(pair.verdict == "equivalent" for pair in differing),
        "near_margin": len(near),
        "near_called_equivalent": sum(pair.verdict == "equivalent" for pair in near),
        "wrong_way": sum(
            pair.verdict == "better" and truth[int(pair.method)] < truth[int(pair.other)] for pair in ranking.pairs
        ),
        "called_better": sum(pair.verdict == "better" for pair in ranking.pairs),
    }


def simulate(studies: int) -> Iterator[tuple[list[dict[str, Any]], dict[str, Any]]]:
    """Yield the outcome of each study: `studies` for each number of seeds, half of them of equal methods."""
    for n in SEEDS:
        rng = np.random.default_rng(n)
        for index in range(studies):
            family = list(FAMILIES)[index // 2 % len(FAMILIES)]
            yield run_study(rng, family, n, are_equal=index % 2 == 0)


def summarize(rows: pd.DataFrame, studies: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return how often each kind of interval covers, and how often verdicts are wrong, by seeds and family."""
    both = [rows, rows.assign(family="all")]
    coverage = pd.concat(both).groupby(["interval", "seeds", "family"]).covers.agg(["mean", "count"]).reset_index()
    coverage.columns = ["interval", "seeds", "family", "coverage", "intervals"]
    table = []
    for family in ["all", *FAMILIES]:
        for n in SEEDS:
            of = studies[(studies.seeds == n) & ((studies.family == family) | (family == "all"))]
            equal, other = of[of.equal], of[~of.equal]
            table.append(
                {
                    "family": family,
                    "seeds": n,
                    "equal_studies": len(equal),
                    "equal_with_best_or_worse": equal.best_or_worse.mean(),
                    "other_studies": len(other),
                    "decided": other.decided.sum() / (METHODS * max(1, len(other))),
                    "wrong_way": other.wrong_way.sum() / max(1, other.called_better.sum()),
                    "differing_pairs": other.differing.sum(),
                    "differing_called_equivalent": other.differing_called_equivalent.sum()
                    / max(1, other.differing.sum()),
                    "near_margin_pairs": other.near_margin.sum(),
                    "near_called_equivalent": other.near_called_equivalent.sum() / max(1, other.near_margin.sum()),
                }
            )
    return coverage, pd.DataFrame(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000, help="for each number of seeds")
    parser.add_argument("--output", type=Path, help="a folder for the tables; they are printed anyway")
    arguments = parser.parse_args()
    began = time.perf_counter()
    rows, studies = [], []
    for of_study, outcome in simulate(arguments.studies):
        rows += of_study
        studies.append(outcome)
    coverage, verdicts = summarize(pd.DataFrame(rows), pd.DataFrame(studies))
    print(coverage.round(3).to_string(index=False))
    print(verdicts.round(4).to_string(index=False))
    print(f"{time.perf_counter() - began:.0f} s")
    if arguments.output is not None:
        arguments.output.mkdir(parents=True, exist_ok=True)
        coverage.round(4).to_csv(arguments.output / "coverage.csv", index=False, lineterminator="\n")
        verdicts.round(4).to_csv(arguments.output / "verdicts.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
