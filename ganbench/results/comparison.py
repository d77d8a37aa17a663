"""Stored results as the four tables of a report.

A run's folder as a Comparison: the four tables, and each trial's arrays when asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from ..contract.components import Comparison
from ..contract.failures import Status
from ..contract.records import TrialResult
from ..suite.expand import regularizer_names
from .statistics import Array, iqm, iqm_interval, rank_methods, wilson_interval
from .store import Store
from .trial_files import Unreadable, read_history

LOST = [status.value for status in Status if status.lost]

TRIALS = [
    *("suite", "trial", "dataset", "method", "generator", "discriminator", "loss", "regularizers", "seed"),
    *("status", "reason", "verdicts", "failed", "steps", "train_seconds", "seconds", "device", "threads"),
]
SCORES = [
    *("suite", "trial", "dataset", "method", "seed", "step", "metric", "value", "better", "floor"),
    *("n_real", "n_fake", "seconds"),
]
FINDINGS = [
    *("suite", "trial", "dataset", "method", "seed", "diagnosis", "horizon", "severity", "confidence"),
    *("onset_step", "summary", "evidence", "remedy", "cause", "track_record"),
]
COMPARISON = [
    *("suite", "dataset", "method", "metric", "better", "n_seeds", "n_scored", "failed", "failure_rate"),
    *("failure_low", "failure_high", "mean", "std", "iqm", "iqm_low", "iqm_high", "best_mean", "floor"),
    *("rank", "p_better", "verdict"),
]


def trials_table(results: Sequence[TrialResult]) -> pd.DataFrame:
    """A row for each trial."""
    rows = []
    for r in results:
        parts = r.trial.components
        rows.append(
            {
                "suite": r.trial.suite,
                "trial": r.trial.id,
                "dataset": r.trial.dataset,
                "method": r.trial.method,
                "generator": parts.generator.name,
                "discriminator": parts.discriminator.name,
                "loss": parts.loss.name,
                "regularizers": regularizer_names(r.trial),
                "seed": r.trial.seed,
                "status": r.status.value,
                "reason": r.reason,
                "verdicts": ";".join(r.verdicts),
                "failed": r.failed,
                "steps": r.steps,
                "train_seconds": r.train_seconds,
                "seconds": r.seconds,
                "device": r.device,
                "threads": r.threads,
            }
        )
    return pd.DataFrame(rows, columns=TRIALS)


def scores_table(results: Sequence[TrialResult]) -> pd.DataFrame:
    """A row for each metric of a trial at a step."""
    rows = [
        {**_identity_columns(r), **{name: getattr(score, name) for name in SCORES if hasattr(score, name)}}
        for r in results
        for score in r.scores
    ]
    return pd.DataFrame(rows, columns=SCORES)


def findings_table(results: Sequence[TrialResult]) -> pd.DataFrame:
    """A row for each finding; its evidence as JSON."""
    rows = [
        {
            **_identity_columns(r),
            **{name: getattr(finding, name) for name in FINDINGS if hasattr(finding, name)},
            "remedy": str(finding.remedy),
            "evidence": msgspec.json.encode(finding.evidence, order="sorted").decode(),
        }
        for r in results
        for finding in r.findings
    ]
    return pd.DataFrame(rows, columns=FINDINGS)


def comparison_table(trials: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """A row for each data set × method × metric; without a metric where a data set has no score at all.

    Means are over the trials with a final score; ranks count a lost trial as the worst value there is. Trials that
    were skipped do not count.
    """
    ran = trials[trials.status != "skipped"]
    rows: list[dict[str, object]] = []
    for (suite, dataset), here in ran.groupby(["suite", "dataset"], sort=False):
        methods = {str(name): mine for name, mine in here.groupby("method", sort=False)}
        scored = scores[scores.trial.isin(here.trial)]
        place = {"suite": suite, "dataset": dataset}
        for metric, group in scored.groupby("metric", sort=False):
            rows += [place | row for row in _compare_metric(str(metric), group, methods)]
        if scored.empty:
            rows += [
                place | {"method": name} | _failure_columns(mine) | {"n_scored": 0} for name, mine in methods.items()
            ]
    return pd.DataFrame(rows, columns=COMPARISON)


def _compare_metric(
    metric: str, scores: pd.DataFrame, methods: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, object]]:
    """The rows of one metric on one data set."""
    better = scores.better.iloc[0]
    sign = 1 if better == "higher" else -1
    final = scores.groupby("trial", sort=False).tail(1)
    seeds = {name: _per_seed(mine, final, sign) for name, mine in methods.items()}
    places = rank_methods(seeds)
    for name, mine in methods.items():
        ours = scores[scores.method == name]
        yield {
            "method": name,
            "metric": metric,
            "better": better,
            **_failure_columns(mine),
            **_summary_columns(sign * seeds[name][np.isfinite(seeds[name])]),
            "best_mean": (sign * (sign * ours.value).groupby(ours.trial).max()).mean(),
            "floor": ours.floor.mean(),
            "rank": places[name].rank,
            "p_better": places[name].p_better,
            "verdict": places[name].verdict,
        }


def _identity_columns(result: TrialResult) -> dict[str, object]:
    trial = result.trial
    return {
        "suite": trial.suite,
        "trial": trial.id,
        "dataset": trial.dataset,
        "method": trial.method,
        "seed": trial.seed,
    }


def _per_seed(trials: pd.DataFrame, final: pd.DataFrame, sign: int) -> Array:
    """The final value of each trial, turned so that higher is better; -inf for one that was lost or has none."""
    values = sign * trials.trial.map(final.set_index("trial").value).to_numpy(dtype=float)
    return np.where(np.isfinite(values) & ~trials.status.isin(LOST).to_numpy(), values, -math.inf)


def _failure_columns(trials: pd.DataFrame) -> dict[str, object]:
    failed, n = int(trials.failed.sum()), len(trials)
    low, high = wilson_interval(failed, n)
    return {"n_seeds": n, "failed": failed, "failure_rate": failed / n, "failure_low": low, "failure_high": high}


def _summary_columns(values: Array) -> dict[str, object]:
    low, high = iqm_interval(values)
    return {
        "n_scored": len(values),
        "mean": values.mean() if len(values) else math.nan,
        "std": values.std(ddof=1) if len(values) > 1 else math.nan,
        "iqm": iqm(values),
        "iqm_low": low,
        "iqm_high": high,
    }


@dataclass(frozen=True)
class StoredComparison(Comparison):
    """The results of a run, compared. Tables have the columns of the CSV files of a report."""

    suite: str
    summary: str
    trials: pd.DataFrame
    scores: pd.DataFrame
    findings: pd.DataFrame
    comparison: pd.DataFrame
    environment: Mapping[str, Any]
    folder: Path
    folders: Mapping[str, Path]  # of the trials, by id
    damaged: tuple[str, ...] = ()  # stored trials that could not be read, and why

    def history(self, trial: str) -> Mapping[str, np.ndarray[Any, Any]]:
        """The history of a trial, by column; empty where it has none."""
        try:
            return read_history(self.folders.get(trial, self.folder / "trials" / trial)).columns
        except Unreadable:
            return {}

    def picture(self, trial: str) -> Path | None:
        """The picture of a trial's samples, where it has one."""
        path = self.folders.get(trial, self.folder / "trials" / trial) / "samples.png"
        return path if path.is_file() else None


def compare(store: Store) -> StoredComparison:
    """Compare the trials of the last run in a folder. Raises RequestError where there is none."""
    facts = store.facts()
    results, damaged = store.results()
    trials, scores, findings = (
        trials_table(results),
        scores_table(results),
        findings_table(results),
    )
    return StoredComparison(
        suite=str(facts.get("suite", "")),
        summary=str(facts.get("summary", "")),
        trials=trials,
        scores=scores,
        findings=findings,
        comparison=comparison_table(trials, scores),
        environment=store.environment(),
        folder=store.folder,
        folders={result.trial.id: store.folder_of(result.trial.id) for result in results},
        damaged=tuple(damaged),
    )


def load(folder: str | Path) -> StoredComparison:
    """The results in `folder` as pandas frames: `.trials`, `.scores`, `.findings` and `.comparison`.

    Raises RequestError where the folder holds no run. Runs nothing of what it reads.
    """
    return compare(Store(Path(folder)))
