"""The tables of methods compared over seeds: against the top, pair by pair, and over all data sets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..contract.failures import Status
from .ranking import MARGIN, Ranking, rank_methods
from .statistics import Array, Difference, area_under_curve, iqm, iqm_interval, wilson_interval

COMPARISON = [
    *("suite", "dataset", "method", "metric", "better", "n_seeds", "n_scored", "failed", "failure_rate"),
    *("failure_low", "failure_high", "mean", "std", "iqm", "iqm_low", "iqm_high", "best_mean", "floor"),
    *("rank", "p_better", "verdict", "against", "delta", "delta_low", "delta_high", "n_pairs", "margin", "p_value"),
    *("seeds_needed", "trend", "auc", "images", "seconds", "parameters_g", "parameters_d"),
]
PAIRWISE = [
    *("suite", "dataset", "metric", "better", "method", "other", "n_pairs", "delta", "delta_low", "delta_high"),
    *("margin", "p_better", "p_value", "verdict", "seeds_needed"),
]
AGGREGATE = [
    *("suite", "method", "rank", "score", "score_low", "score_high", "n_seeds", "n_datasets", "n_scores"),
    *("failed", "n_trials", "failure_rate", "failure_low", "failure_high"),
]


@dataclass(frozen=True)
class Compared:
    """All methods on one data set by one metric.

    Attributes:
        labels: The suite, the data set and the metric.
        better: `"higher"` or `"lower"`.
        sign: 1 where higher is better, else -1.
        trials: The trials of each method.
        final: The final value of each method's seeds, times `sign`: -inf for a lost one, NaN for one not tried.
        seeds: The seeds, in the order of `final`.
        scores: The scores by this metric of the trials that were not lost.
        floors: The floor of each method, and of all.
        ranking: What follows from `final`.
    """

    labels: Mapping[str, object]
    better: str
    sign: int
    trials: Mapping[str, pd.DataFrame]
    final: Mapping[str, Array]
    seeds: tuple[int, ...]
    scores: pd.DataFrame
    floors: Mapping[str, float]
    floor: float
    ranking: Ranking


def compare_all(
    trials: pd.DataFrame, scores: pd.DataFrame, margin: float = MARGIN, baseline: str | None = None
) -> list[Compared]:
    """Compare the methods on each data set by each metric. Skipped trials do not count.

    Args:
        trials: A row for each trial.
        scores: A row for each metric of a trial at a step.
        margin: See `rank_methods`.
        baseline: See `rank_methods`; where a data set was not tried with it, methods are compared with the top.
    """
    compared = []
    for (suite, dataset), methods in _by_dataset(trials):
        ids = {trial for of_method in methods.values() for trial in of_method.trial}
        for metric, of_metric in scores[scores.trial.isin(ids)].groupby("metric", sort=False):
            labels = {"suite": suite, "dataset": dataset, "metric": str(metric)}
            compared.append(_compare(labels, of_metric, methods, margin, baseline if baseline in methods else None))
    return compared


def comparison_table(trials: pd.DataFrame, scores: pd.DataFrame, compared: Sequence[Compared]) -> pd.DataFrame:
    """Return a table with a row for each data set, method and metric; without a metric where nothing was scored.

    Means are over the trials with a final score; ranks and tests count a lost trial as the worst value there is.
    """
    rows: list[dict[str, object]] = []
    for (suite, dataset), methods in _by_dataset(trials):
        on_dataset = [one for one in compared if (one.labels["suite"], one.labels["dataset"]) == (suite, dataset)]
        rows += [row for one in on_dataset for row in _comparison_rows(one)]
        if not on_dataset:
            labels = {"suite": suite, "dataset": dataset, "n_scored": 0}
            rows += [
                labels | {"method": name} | _failure_columns(of_method) | _cost_columns(of_method)
                for name, of_method in methods.items()
            ]
    return pd.DataFrame(rows, columns=COMPARISON)


def pairwise_table(compared: Sequence[Compared]) -> pd.DataFrame:
    """Return a table with a row for each pair of methods on each data set by each metric, the better-ranked first."""
    rows = [
        {
            **one.labels,
            "better": one.better,
            "method": pair.method,
            "other": pair.other,
            **difference_columns(pair.difference, one.sign),
            "margin": one.ranking.margin,
            "p_better": pair.p_better,
            "p_value": pair.p_value,
            "verdict": pair.verdict,
            "seeds_needed": pair.seeds_needed,
        }
        for one in compared
        for pair in one.ranking.pairs
    ]
    return pd.DataFrame(rows, columns=PAIRWISE)


def aggregate_table(trials: pd.DataFrame, compared: Sequence[Compared]) -> pd.DataFrame:
    """Return a table with a row for each method, over all data sets and metrics.

    A final score counts as 1 at its floor or beyond, as 0 at the worst and linearly between. The worst is a score of 0
    where higher is better and none is below 0; else the IQM of the method that is the worst by this metric on this data
    set. A seed's scores are averaged over the metrics of a data set, then over data sets; the interval is over seeds. Lost
    trials are counted beside the scores, not in them; metrics without a floor are left out.
    """
    ran = trials[trials.status != Status.SKIPPED.value]
    seeds = sorted(set(ran.seed))
    rows = []
    for method, of_method in ran.groupby("method", sort=False):
        by_dataset: dict[object, list[Array]] = {}
        for one in compared:
            if method in one.final and (scores := _normalized(one, str(method))) is not None:
                by_seed = dict(zip(one.seeds, scores, strict=True))
                by_dataset.setdefault(one.labels["dataset"], []).append(
                    np.array([by_seed.get(seed, math.nan) for seed in seeds])
                )
        of_seeds = _mean_of_present([_mean_of_present(of_metrics) for of_metrics in by_dataset.values()], len(seeds))
        present = of_seeds[np.isfinite(of_seeds)]
        low, high = (float(end) for end in np.clip(iqm_interval(present), 0.0, 1.0))
        failures = _failure_columns(of_method)
        rows.append(
            {
                "suite": of_method.suite.iloc[0],
                "method": method,
                "score": iqm(present),
                "score_low": low,
                "score_high": high,
                "n_datasets": len(by_dataset),
                "n_scores": sum(len(of_metrics) for of_metrics in by_dataset.values()),
                **failures,
                "n_seeds": len(present),
                "n_trials": len(of_method),
            }
        )
    table = pd.DataFrame(rows, columns=AGGREGATE)
    table["rank"] = table.score.round(12).rank(method="min", ascending=False)
    return table


# --- one metric on one data set ----------------------------------------------------------------------


def _by_dataset(trials: pd.DataFrame) -> Iterator[tuple[tuple[str, str], dict[str, pd.DataFrame]]]:
    ran = trials[trials.status != Status.SKIPPED.value]
    for (suite, dataset), of_dataset in ran.groupby(["suite", "dataset"], sort=False):
        yield (
            (str(suite), str(dataset)),
            {str(name): of_method for name, of_method in of_dataset.groupby("method", sort=False)},
        )


def _compare(
    labels: Mapping[str, object],
    scores: pd.DataFrame,
    methods: Mapping[str, pd.DataFrame],
    margin: float,
    baseline: str | None,
) -> Compared:
    better = str(scores.better.iloc[0])
    sign = 1 if better == "higher" else -1
    seeds = tuple(sorted({int(seed) for of_method in methods.values() for seed in of_method.seed}))
    final = scores.groupby("trial", sort=False).tail(1).set_index("trial").value
    values = {name: _final_values(of_method, final, seeds, sign) for name, of_method in methods.items()}
    floors = {name: float(scores[scores.method == name].floor.mean()) for name in methods}
    floor = float(scores.floor.mean())
    lost = {trial for of_method in methods.values() for trial in of_method.trial[_is_lost(of_method)]}
    return Compared(
        labels=labels,
        better=better,
        sign=sign,
        trials=methods,
        final=values,
        seeds=seeds,
        scores=scores[~scores.trial.isin(lost)],
        floors=floors,
        floor=floor,
        ranking=rank_methods(values, sign * floor, margin, baseline),
    )


def _is_lost(trials: pd.DataFrame) -> Array:
    return np.array([Status(status).lost for status in trials.status], dtype=bool)


def _final_values(trials: pd.DataFrame, final: pd.Series, seeds: Sequence[int], sign: int) -> Array:
    """The final value of each seed, signed so that higher is better: -inf where it was lost or has none, else NaN."""
    values = sign * trials.trial.map(final).to_numpy(dtype=float)
    values = np.where(np.isfinite(values) & ~_is_lost(trials), values, -math.inf)
    of_seed = dict(zip(trials.seed, values, strict=True))
    return np.array([of_seed.get(seed, math.nan) for seed in seeds])


def _comparison_rows(one: Compared) -> Iterator[dict[str, object]]:
    for name, of_method in one.trials.items():
        ranked = one.ranking.methods[name]
        values = one.sign * one.final[name][np.isfinite(one.final[name])]
        low, high = iqm_interval(values)
        if not (one.scores.value < 0).any():  # a distance, a count or a share: so is its IQM
            low = max(low, 0.0) if math.isfinite(low) else low
        yield {
            **one.labels,
            "method": name,
            "better": one.better,
            **_failure_columns(of_method),
            "n_scored": len(values),
            "mean": values.mean() if len(values) else math.nan,
            "std": values.std(ddof=1) if len(values) > 1 else math.nan,
            "iqm": iqm(values),
            "iqm_low": low,
            "iqm_high": high,
            **_curve_columns(one.scores[one.scores.method == name], one.sign),
            "floor": one.floors[name],
            "rank": ranked.rank,
            "p_better": ranked.p_better,
            "verdict": ranked.verdict,
            "against": ranked.against,
            **difference_columns(ranked.difference, one.sign),
            "margin": one.ranking.margin,
            "p_value": ranked.p_value,
            "seeds_needed": ranked.seeds_needed,
            **_cost_columns(of_method),
        }


def _curve_columns(scores: pd.DataFrame, sign: int) -> dict[str, object]:
    """What the scores of a method's trials over training say, each averaged over the trials."""
    best, areas, trends = [], [], []
    all_values, all_steps = scores.value.to_numpy(dtype=float), scores.step.to_numpy(dtype=float)
    for rows in scores.groupby("trial", sort=False).indices.values():
        values, steps = all_values[rows], all_steps[rows]
        seen = np.isfinite(values)
        if not seen.any():
            continue
        best.append(sign * (sign * values[seen]).max())
        areas.append(area_under_curve(steps[seen], values[seen]))
        if len(values) > 1 and seen[-2:].all():
            trends.append(values[-1] - values[-2])
    return {"best_mean": _mean(best), "auc": _mean(areas), "trend": _mean(trends)}


def _failure_columns(trials: pd.DataFrame) -> dict[str, object]:
    failed, n = int(trials.failed.sum()), len(trials)
    low, high = wilson_interval(failed, n)
    return {"n_seeds": n, "failed": failed, "failure_rate": failed / n, "failure_low": low, "failure_high": high}


def _cost_columns(trials: pd.DataFrame) -> dict[str, object]:
    """What a trial of a method costs, by those that were not lost early."""
    ended = trials[~_is_lost(trials)]
    columns = {
        "images": "images",
        "seconds": "train_seconds",
        "parameters_g": "parameters_g",
        "parameters_d": "parameters_d",
    }
    return {
        name: float(pd.to_numeric(ended[column]).mean()) if column in ended and len(ended) else math.nan
        for name, column in columns.items()
    }


def difference_columns(difference: Difference, sign: int) -> dict[str, object]:
    """A difference in units of the metric: what the method's score is more than that of the other."""
    ends = (difference.low, difference.high) if sign > 0 else (-difference.high, -difference.low)
    return {
        "delta": sign * difference.value + 0.0,
        "delta_low": ends[0],
        "delta_high": ends[1],
        "n_pairs": difference.pairs,
    }


def _normalized(one: Compared, method: str) -> Array | None:
    """The final scores of a method between the worst, 0, and the floor, 1; NaN where a seed has none."""
    floor, worst = one.sign * one.floor, _worst(one)
    if not math.isfinite(floor) or not math.isfinite(worst):
        return None
    values = np.where(np.isfinite(one.final[method]), one.final[method], math.nan)
    if floor <= worst:  # nothing is worse than real samples
        return np.where(np.isnan(values), math.nan, 1.0)
    return np.clip((values - worst) / (floor - worst), 0.0, 1.0)


def _worst(one: Compared) -> float:
    iqms = [iqm(values[np.isfinite(values)]) for values in one.final.values() if np.isfinite(values).any()]
    lowest = min(
        (float(values[np.isfinite(values)].min()) for values in one.final.values() if np.isfinite(values).any()),
        default=math.nan,
    )
    return 0.0 if one.sign > 0 and lowest >= 0 else min(iqms, default=math.nan)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def _mean_of_present(arrays: Sequence[Array], length: int = 0) -> Array:
    """The mean of arrays element by element, without what is NaN."""
    if not arrays:
        return np.full(length, math.nan)
    stacked = np.stack(arrays)
    present = np.isfinite(stacked)
    counts = present.sum(axis=0)
    return np.where(counts > 0, np.where(present, stacked, 0.0).sum(axis=0) / np.maximum(counts, 1), math.nan)
