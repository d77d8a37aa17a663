"""The comparison shaped for the eye, for every report that people read: per data set, methods and their standings.

All texts in here are plain: each report escapes them for its own format.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ganbench

from .numbers import MISSING, as_float, interval, number, percent

if TYPE_CHECKING:
    import pandas as pd

FAILED_STATUSES = ("diverged", "error", "timeout")


@dataclass(frozen=True)
class Failures:
    """How many of a method's trials on a data set failed, and the 95 % Wilson interval of the rate where known."""

    failed: int
    trials: int
    low: float | None = None
    high: float | None = None

    @property
    def count(self) -> str:
        return f"{self.failed} of {self.trials}"

    @property
    def interval(self) -> str:
        """`21–94 %`, or nothing where there is none."""
        if self.low is None or self.high is None:
            return ""
        return f"{percent(self.low).removesuffix(' %')}–{percent(self.high)}"

    @property
    def text(self) -> str:
        return f"{self.count} ({self.interval})" if self.interval else self.count


@dataclass(frozen=True)
class Standing:
    """Where one method stands at one metric of one data set; None where nothing was measured."""

    method: str
    metric: str
    iqm: float | None
    low: float | None
    high: float | None
    floor: float | None
    best: float | None  # best over training, mean of the seeds
    rank: float | None
    p_top: float | None  # probability that the top-ranked method beats this one
    verdict: str
    scored: int
    failures: Failures

    @property
    def interval(self) -> str:
        """The 95 % interval as text, or nothing."""
        return interval(self.low, self.high)

    @property
    def rank_text(self) -> str:
        return MISSING if self.rank is None else f"{self.rank:g}"

    @property
    def p_text(self) -> str:
        return MISSING if self.p_top is None else f"{self.p_top:.2f}"


@dataclass(frozen=True)
class MetricTable:
    """One metric of one data set: its standings by rank."""

    metric: str
    better: str
    floor: str
    standings: tuple[Standing, ...]

    def of(self, method: str) -> Standing | None:
        """The standing of `method`, None where the comparison has no row for it."""
        return next((standing for standing in self.standings if standing.method == method), None)


@dataclass(frozen=True)
class DatasetTable:
    """One data set: its methods, the best first, how often each failed, and a table for each metric."""

    dataset: str
    methods: tuple[str, ...]
    failures: Mapping[str, Failures]  # by method
    metrics: tuple[MetricTable, ...]


def rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame's rows as dictionaries, None where a cell is missing."""
    return [
        {str(key): None if value is None or value != value else value for key, value in record.items()}
        for record in frame.astype(object).to_dict("records")
    ]


def in_order(values: Iterable[Any]) -> list[str]:
    """The distinct values as text, in the order in which they first appear."""
    return list(dict.fromkeys(str(value) for value in values))


def dataset_tables(comparison: ganbench.Comparison) -> list[DatasetTable]:
    """A table for each data set that was tried, in the order of the trials, whether or not anything was scored."""
    compared = [row for row in rows(comparison.comparison) if row["metric"] is not None]
    # A trial that was skipped was never tried: it neither failed nor did not.
    trials = [trial for trial in rows(comparison.trials) if trial["status"] != "skipped"]
    return [
        _dataset_table(
            dataset,
            [trial for trial in trials if str(trial["dataset"]) == dataset],
            [row for row in compared if str(row["dataset"]) == dataset],
        )
        for dataset in in_order(row["dataset"] for row in [*trials, *compared])
    ]


def _dataset_table(dataset: str, trials: list[dict[str, Any]], compared: list[dict[str, Any]]) -> DatasetTable:
    methods = in_order(row["method"] for row in [*trials, *compared])
    metrics = tuple(
        _metric_table(metric, [row for row in compared if str(row["metric"]) == metric])
        for metric in in_order(row["metric"] for row in compared)
    )
    return DatasetTable(
        dataset,
        tuple(sorted(methods, key=lambda method: _mean_rank(method, metrics))),
        {method: _failures_of(method, trials, compared) for method in methods},
        metrics,
    )


def _metric_table(metric: str, compared: list[dict[str, Any]]) -> MetricTable:
    standings = [_standing(row) for row in compared]
    floors = [standing.floor for standing in standings if standing.floor is not None]
    return MetricTable(
        metric,
        str(compared[0]["better"] or ""),
        _common_floor(floors),
        tuple(sorted(standings, key=lambda standing: (standing.rank is None, standing.rank or 0))),
    )


def _common_floor(floors: list[float]) -> str:
    """One floor for a metric's heading. Each method has its own, from other draws of real samples: `≈` says so."""
    if not floors:
        return MISSING
    alike = len({number(floor) for floor in floors}) == 1
    return number(floors[0]) if alike else f"≈ {number(sum(floors) / len(floors))}"


def _standing(row: dict[str, Any]) -> Standing:
    scored = int(as_float(row["n_scored"]) or 0)
    several = scored > 1  # one seed has no interval worth its name
    return Standing(
        method=str(row["method"]),
        metric=str(row["metric"]),
        iqm=as_float(row["iqm"]),
        low=as_float(row["iqm_low"]) if several else None,
        high=as_float(row["iqm_high"]) if several else None,
        floor=as_float(row["floor"]),
        best=as_float(row["best_mean"]),
        rank=as_float(row["rank"]),
        p_top=as_float(row["p_better"]),
        verdict=str(row["verdict"] or ""),
        scored=scored,
        failures=_compared_failures(row),
    )


def _compared_failures(row: dict[str, Any]) -> Failures:
    return Failures(
        failed=int(as_float(row["failed"]) or 0),
        trials=int(as_float(row["n_seeds"]) or 0),
        low=as_float(row["failure_low"]),
        high=as_float(row["failure_high"]),
    )


def _failures_of(method: str, trials: list[dict[str, Any]], compared: list[dict[str, Any]]) -> Failures:
    """How often a method failed, from the comparison; counted from the trials where that has no row for it."""
    for row in compared:
        if str(row["method"]) == method:
            return _compared_failures(row)
    failed = [bool(trial["failed"]) for trial in trials if str(trial["method"]) == method]
    return Failures(sum(failed), len(failed))


def _mean_rank(method: str, metrics: tuple[MetricTable, ...]) -> float:
    """The method's mean rank over metrics; without any, behind all others."""
    standings = [table.of(method) for table in metrics]
    ranks = [standing.rank for standing in standings if standing is not None and standing.rank is not None]
    return sum(ranks) / len(ranks) if ranks else float("inf")
