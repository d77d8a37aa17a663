"""Shape the comparison for readers: for each data set its methods by rank, and a table for each metric.

All texts are plain; each report escapes them for its own format.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import ganbench

from .numbers import MISSING, format_interval, format_number, format_percent, parse_float

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class FailureRate:
    """How many of a method's trials on a data set failed, and the 95 % Wilson interval of the rate if it is known."""

    failed: int
    trials: int
    low: float | None = None
    high: float | None = None

    @property
    def count(self) -> str:
        """`2 of 3`."""
        return f"{self.failed} of {self.trials}"

    @property
    def interval(self) -> str:
        """`21–94 %`, or nothing if it is not known."""
        if self.low is None or self.high is None:
            return ""
        return f"{format_percent(self.low).removesuffix(' %')}–{format_percent(self.high)}"

    @property
    def text(self) -> str:
        """`2 of 3 (21–94 %)`."""
        return f"{self.count} ({self.interval})" if self.interval else self.count


@dataclass(frozen=True)
class MetricRow:
    """A method's row in the table of a metric on a data set; None where nothing was measured.

    Attributes:
        low: Lower end of the 95 % interval of the IQM; None for a single seed.
        high: Upper end of it.
        best: Mean over seeds of the best value over training.
        p_top: Probability that the top-ranked method beats this one.
        scored: Seeds with a final score.
        delta: Difference from the top-ranked method, paired by seed; None where it was not measured, and of the top.
        delta_low: Lower end of its 95 % interval.
        delta_high: Upper end of it.
        p_value: Of the test behind the verdict.
        seeds_needed: How many seeds would decide an inconclusive comparison.
        trend: Mean change from the evaluation before the last to the last.
        auc: Area under the curve of scores over training.
    """

    method: str
    metric: str
    iqm: float | None
    low: float | None
    high: float | None
    floor: float | None
    best: float | None
    rank: float | None
    p_top: float | None
    verdict: str
    scored: int
    failures: FailureRate
    delta: float | None = None
    delta_low: float | None = None
    delta_high: float | None = None
    p_value: float | None = None
    seeds_needed: float | None = None
    trend: float | None = None
    auc: float | None = None

    @property
    def delta_text(self) -> str:
        """`+0.120 [0.050, 0.190]`, or a dash."""
        if self.delta is None:
            return MISSING
        sign = "+" if self.delta > 0 else ""
        return f"{sign}{format_number(self.delta)} {format_interval(self.delta_low, self.delta_high)}".rstrip()

    @property
    def needs(self) -> str:
        """What would decide an inconclusive comparison: `12 seeds would decide`, or nothing."""
        if self.verdict != "inconclusive" or self.seeds_needed is None or not math.isfinite(self.seeds_needed):
            return ""
        return f"{self.seeds_needed:,.0f} seeds would decide"

    @property
    def interval(self) -> str:
        """The 95 % interval as text, or nothing."""
        return format_interval(self.low, self.high)

    @property
    def rank_text(self) -> str:
        """The rank, or a dash."""
        return MISSING if self.rank is None else f"{self.rank:g}"

    @property
    def p_text(self) -> str:
        """`p_top` with two decimals, or a dash."""
        return MISSING if self.p_top is None else f"{self.p_top:.2f}"


@dataclass(frozen=True)
class MetricTable:
    """One metric on one data set: a row for each method, by rank."""

    metric: str
    better: str
    floor: str
    rows: tuple[MetricRow, ...]

    def row_of(self, method: str) -> MetricRow | None:
        """Return the row of `method`, or None if the comparison has none."""
        return self._by_method.get(method)

    @cached_property
    def _by_method(self) -> dict[str, MetricRow]:
        return {row.method: row for row in self.rows}

    def has(self, name: str) -> bool:
        """Return whether any row has a value called `name`."""
        return any(getattr(row, name) is not None for row in self.rows)


@dataclass(frozen=True)
class DatasetTables:
    """One data set: its methods, the best first, how often each failed, and a table for each metric."""

    dataset: str
    methods: tuple[str, ...]
    failures: Mapping[str, FailureRate]  # by method
    metrics: tuple[MetricTable, ...]

    def mean_rank(self, method: str) -> float | None:
        """Return the mean of a method's ranks over metrics, or None if it has none."""
        rank = _mean_rank(method, self.metrics)
        return rank if math.isfinite(rank) else None


def main_metric(tables: Iterable[DatasetTables], dataset: str) -> str | None:
    """Return the metric that stands for a data set: the first that most data sets have, so that they compare.

    None if nothing was scored on it.
    """
    of_datasets = {table.dataset: [metric.metric for metric in table.metrics if metric.better] for table in tables}
    counts = {metric: sum(metric in names for names in of_datasets.values()) for metric in of_datasets.get(dataset, ())}
    return max(counts, key=lambda metric: counts[metric], default=None)


@dataclass(frozen=True)
class OverallScore:
    """A method's score over all data sets and metrics, from 0 (the worst) to 1 (the floors), and its 95 % interval."""

    method: str
    score: float
    low: float | None
    high: float | None
    rank: float | None
    failures: FailureRate

    @property
    def interval(self) -> str:
        """The interval as text, or nothing."""
        return format_interval(self.low, self.high)


def overall_scores(comparison: ganbench.Comparison) -> dict[str, OverallScore]:
    """Return the score over all data sets of each method that has one; empty if the comparison has none."""
    frame = getattr(comparison, "aggregate", None)
    scores = {}
    for row in [] if frame is None else to_records(frame):
        score = parse_float(row.get("score"))
        if score is not None:
            failures = FailureRate(
                int(parse_float(row.get("failed")) or 0),
                int(parse_float(row.get("n_trials")) or 0),
                parse_float(row.get("failure_low")),
                parse_float(row.get("failure_high")),
            )
            scores[str(row["method"])] = OverallScore(
                str(row["method"]),
                score,
                parse_float(row.get("score_low")),
                parse_float(row.get("score_high")),
                parse_float(row.get("rank")),
                failures,
            )
    return scores


def order_methods(
    tables: Iterable[DatasetTables], methods: Iterable[str], overall: Mapping[str, OverallScore] | None = None
) -> list[str]:
    """Return methods by their scores over all data sets; without those by their mean ranks; those without any last."""
    if overall:
        return sorted(methods, key=lambda method: -overall[method].score if method in overall else math.inf)
    ranks: dict[str, list[float]] = {}
    for table in tables:
        for method in table.methods:
            rank = table.mean_rank(method)
            if rank is not None:
                ranks.setdefault(method, []).append(rank)
    means = {method: sum(of_method) / len(of_method) for method, of_method in ranks.items()}
    return sorted(methods, key=lambda method: means.get(method, math.inf))


def tables_by_dataset(comparison: ganbench.Comparison) -> list[DatasetTables]:
    """Return the tables of each data set that was tried, in the order of the trials, scored or not."""
    compared = [row for row in to_records(comparison.comparison) if row["metric"] is not None]
    trials = [trial for trial in to_records(comparison.trials) if trial["status"] != ganbench.Status.SKIPPED]
    return [
        _dataset_tables(
            dataset,
            [trial for trial in trials if str(trial["dataset"]) == dataset],
            [row for row in compared if str(row["dataset"]) == dataset],
        )
        for dataset in distinct(row["dataset"] for row in [*trials, *compared])
    ]


def to_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows as dictionaries, with None for missing cells."""
    names = [str(name) for name in frame.columns]
    columns = [column.astype(object).where(column.notna(), None).tolist() for _, column in frame.items()]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def distinct(values: Iterable[Any]) -> list[str]:
    """Return the distinct values as text, in the order of their first appearance."""
    return list(dict.fromkeys(str(value) for value in values))


def _dataset_tables(dataset: str, trials: list[dict[str, Any]], compared: list[dict[str, Any]]) -> DatasetTables:
    methods = distinct(row["method"] for row in [*trials, *compared])
    metrics = tuple(
        _metric_table(metric, [row for row in compared if str(row["metric"]) == metric])
        for metric in distinct(row["metric"] for row in compared)
    )
    return DatasetTables(
        dataset,
        tuple(sorted(methods, key=lambda method: _mean_rank(method, metrics))),
        {method: _failure_rate_of(method, trials, compared) for method in methods},
        metrics,
    )


def _metric_table(metric: str, compared: list[dict[str, Any]]) -> MetricTable:
    rows = [_metric_row(row) for row in compared]
    floors = [row.floor for row in rows if row.floor is not None]
    return MetricTable(
        metric,
        str(compared[0]["better"] or ""),
        _format_floors(floors),
        tuple(sorted(rows, key=lambda row: (row.rank is None, row.rank or 0))),
    )


def _format_floors(floors: list[float]) -> str:
    """Format one floor for a metric's heading; `≈` if the methods', each from other draws of real samples, differ."""
    if not floors:
        return MISSING
    equal = len({format_number(floor) for floor in floors}) == 1
    return format_number(floors[0]) if equal else f"≈ {format_number(sum(floors) / len(floors))}"


def _metric_row(row: dict[str, Any]) -> MetricRow:
    scored = int(parse_float(row["n_scored"]) or 0)
    has_interval = scored > 1
    return MetricRow(
        method=str(row["method"]),
        metric=str(row["metric"]),
        iqm=parse_float(row["iqm"]),
        low=parse_float(row["iqm_low"]) if has_interval else None,
        high=parse_float(row["iqm_high"]) if has_interval else None,
        floor=parse_float(row["floor"]),
        best=parse_float(row["best_mean"]),
        rank=parse_float(row["rank"]),
        p_top=parse_float(row["p_better"]),
        verdict=str(row["verdict"] or ""),
        scored=scored,
        failures=_failure_rate(row),
        **{
            name: parse_float(row.get(name))
            for name in ("delta", "delta_low", "delta_high", "p_value", "seeds_needed", "trend", "auc")
        },
    )


def _failure_rate(row: dict[str, Any]) -> FailureRate:
    return FailureRate(
        failed=int(parse_float(row["failed"]) or 0),
        trials=int(parse_float(row["n_seeds"]) or 0),
        low=parse_float(row["failure_low"]),
        high=parse_float(row["failure_high"]),
    )


def _failure_rate_of(method: str, trials: list[dict[str, Any]], compared: list[dict[str, Any]]) -> FailureRate:
    """Return how often a method failed, from the comparison; counted from the trials if that has no row for it."""
    for row in compared:
        if str(row["method"]) == method:
            return _failure_rate(row)
    failed = [bool(trial["failed"]) for trial in trials if str(trial["method"]) == method]
    return FailureRate(sum(failed), len(failed))


def _mean_rank(method: str, metrics: tuple[MetricTable, ...]) -> float:
    """Return the method's mean rank over metrics; infinity if it has none."""
    rows = [table.row_of(method) for table in metrics]
    ranks = [row.rank for row in rows if row is not None and row.rank is not None]
    return sum(ranks) / len(ranks) if ranks else float("inf")
