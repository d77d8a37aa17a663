"""Compare stored results over seeds: the four tables of a report, and each trial's arrays when asked for."""

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
from .trial_files import UnreadableTrial, read_history

# The columns of the tables.
TRIALS = [
    *("suite", "trial", "dataset", "method", "generator", "discriminator", "loss", "regularizers", "seed"),
    *("status", "reason", "verdicts", "failed", "steps", "train_seconds", "seconds", "device", "threads", "left_out"),
]
SCORES = [
    *("suite", "trial", "dataset", "method", "seed", "step", "metric", "value", "better", "floor"),
    *("n_real", "n_fake", "seconds", "low", "high", "biased", "features", "reference_rank", "reference_log_distance"),
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


def load(folder: str | Path) -> StoredComparison:
    """Load the results in a folder as pandas frames; nothing that is stored there is executed.

    Args:
        folder: The results folder of a run, such as `results/basic`.

    Returns:
        The comparison: frames `.trials`, `.scores`, `.findings` and `.comparison`, with the columns of a report's CSV
        files, and the arrays of a trial by `.history(trial_id)`.

    Raises:
        RequestError: If the folder holds no run.

    Example:
        >>> results = ganbench.load("results/basic")
        >>> results.history(results.trials.trial[0])["loss_d"]
    """
    return compare(Store(Path(folder)))


def compare(store: Store) -> StoredComparison:
    """Compare the trials of the last run in a folder. Raise RequestError if it holds none."""
    facts = store.facts()
    results, damaged = store.results()
    trials, scores = trials_table(results), scores_table(results)
    return StoredComparison(
        suite=str(facts.get("suite", "")),
        summary=str(facts.get("summary", "")),
        trials=trials,
        scores=scores,
        findings=findings_table(results),
        comparison=comparison_table(trials, scores),
        environment=store.environment(),
        folder=store.folder,
        folders={result.trial.id: store.folder_of(result.trial.id) for result in results},
        damaged=tuple(damaged),
    )


@dataclass(frozen=True)
class StoredComparison(Comparison):
    """The comparison of a run's stored results.

    Attributes:
        folder: The results folder.
        folders: The folder of each trial, by its id.
    """

    suite: str
    summary: str
    trials: pd.DataFrame
    scores: pd.DataFrame
    findings: pd.DataFrame
    comparison: pd.DataFrame
    environment: Mapping[str, Any]
    folder: Path
    folders: Mapping[str, Path]
    damaged: tuple[str, ...] = ()

    def history(self, trial: str) -> Mapping[str, np.ndarray[Any, Any]]:
        """Return the history of a trial, by column; empty if it has none."""
        try:
            return read_history(self._folder_of(trial)).columns
        except UnreadableTrial:
            return {}

    def picture(self, trial: str) -> Path | None:
        """Return the picture of a trial's samples, or None if it has none."""
        path = self._folder_of(trial) / "samples.png"
        return path if path.is_file() else None

    def _folder_of(self, trial: str) -> Path:
        return self.folders.get(trial, self.folder / "trials" / trial)


# --- tables of results -------------------------------------------------------------------------------


def trials_table(results: Sequence[TrialResult]) -> pd.DataFrame:
    """Return a table with a row for each trial."""
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
                "left_out": msgspec.json.encode(r.left_out, order="sorted").decode() if r.left_out else "",
            }
        )
    return pd.DataFrame(rows, columns=TRIALS)


def scores_table(results: Sequence[TrialResult]) -> pd.DataFrame:
    """Return a table with a row for each metric of a trial at a step."""
    rows = [
        {**_identity_columns(r), **{name: getattr(score, name) for name in SCORES if hasattr(score, name)}}
        for r in results
        for score in r.scores
    ]
    return pd.DataFrame(rows, columns=SCORES)


def findings_table(results: Sequence[TrialResult]) -> pd.DataFrame:
    """Return a table with a row for each finding: its evidence as JSON, its remedy as text."""
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


def _identity_columns(result: TrialResult) -> dict[str, object]:
    trial = result.trial
    return {
        "suite": trial.suite,
        "trial": trial.id,
        "dataset": trial.dataset,
        "method": trial.method,
        "seed": trial.seed,
    }


# --- comparison over seeds ---------------------------------------------------------------------------


def comparison_table(trials: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Return a table with a row for each data set, method and metric; without a metric where nothing was scored.

    Means are over the trials with a final score; ranks count a lost trial as the worst value there is. Skipped trials
    do not count.
    """
    ran = trials[trials.status != Status.SKIPPED.value]
    rows: list[dict[str, object]] = []
    for (suite, dataset), of_dataset in ran.groupby(["suite", "dataset"], sort=False):
        methods = {str(name): of_method for name, of_method in of_dataset.groupby("method", sort=False)}
        scored = scores[scores.trial.isin(of_dataset.trial)]
        labels = {"suite": suite, "dataset": dataset}
        for metric, of_metric in scored.groupby("metric", sort=False):
            rows += [labels | row for row in _compare_metric(str(metric), of_metric, methods)]
        if scored.empty:
            rows += [
                labels | {"method": name} | _failure_columns(of_method) | {"n_scored": 0}
                for name, of_method in methods.items()
            ]
    return pd.DataFrame(rows, columns=COMPARISON)


def _compare_metric(
    metric: str, scores: pd.DataFrame, methods: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, object]]:
    """Yield the rows of one metric on one data set, a method each."""
    better = scores.better.iloc[0]
    sign = 1 if better == "higher" else -1
    final = scores.groupby("trial", sort=False).tail(1)
    values = {name: _final_values(of_method, final, sign) for name, of_method in methods.items()}
    ranks = rank_methods(values)
    for name, of_method in methods.items():
        of_this = scores[scores.method == name]
        yield {
            "method": name,
            "metric": metric,
            "better": better,
            **_failure_columns(of_method),
            **_summary_columns(sign * values[name][np.isfinite(values[name])]),
            "best_mean": (sign * (sign * of_this.value).groupby(of_this.trial).max()).mean(),
            "floor": of_this.floor.mean(),
            "rank": ranks[name].rank,
            "p_better": ranks[name].p_better,
            "verdict": ranks[name].verdict,
        }


def _final_values(trials: pd.DataFrame, final: pd.DataFrame, sign: int) -> Array:
    """Return the final value of each trial, signed so that higher is better; -inf where it was lost or has none."""
    values = sign * trials.trial.map(final.set_index("trial").value).to_numpy(dtype=float)
    lost = np.array([Status(status).lost for status in trials.status], dtype=bool)
    return np.where(np.isfinite(values) & ~lost, values, -math.inf)


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
