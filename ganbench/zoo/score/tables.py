"""The tables of a scoring: predictions and truth, summarized."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..ground_truth.labels import FAILURES
from .metrics import auprc, auroc, auroc_interval, precision_recall
from .recordings import Recording

STOP_CONFIDENCE = 0.9  # confidence from which a finding ends a run
CELL = ["diagnoser", "diagnosis", "part", "horizon", "fraction"]
SCORE = [
    *CELL,
    *("auroc", "auroc_low", "auroc_high", "auprc", "precision", "recall", "false_alarm_rate", "latency"),
    *("n_positive", "n_negative"),
]


def score_table(predictions: pd.DataFrame) -> pd.DataFrame:
    """score.csv: a row for each diagnoser, failure, part, horizon and fraction of the budget."""
    predictions = _with_alarms(predictions)
    rows = [_score_row(cell, rows) for cell, rows in predictions.groupby(CELL, sort=False)]
    return pd.DataFrame(rows, columns=SCORE)


def _with_alarms(predictions: pd.DataFrame) -> pd.DataFrame:
    """`alarmed`: whether there was such an alarm at this fraction or before; `since`: the first such fraction."""
    ordered = predictions.sort_values("fraction", kind="stable")
    course = [ordered[name] for name in ("diagnoser", "diagnosis", "horizon", "run")]
    alarmed = ordered["alarm"].groupby(course).cummax()
    since = ordered["fraction"].where(ordered["alarm"]).groupby(course).cummin()
    return predictions.assign(alarmed=alarmed, since=since)


def _score_row(cell: Any, rows: pd.DataFrame) -> dict[str, object]:
    true, score = rows["true"].to_numpy(bool), rows["score"].to_numpy(float)
    low, high = auroc_interval(true, score, rows["recipe"].to_numpy())
    precision, recall = precision_recall(true, rows["found"].to_numpy(bool))
    right = rows[rows["true"] & rows["found"] & rows["true_onset"].notna()]
    late = right["since"] - right["true_onset"] / right["steps"]
    return dict(zip(CELL, cell, strict=True)) | {
        "auroc": auroc(true, score),
        "auroc_low": low,
        "auroc_high": high,
        "auprc": auprc(true, score),
        "precision": precision,
        "recall": recall,
        "false_alarm_rate": rows.loc[rows["healthy"], "alarmed"].mean(),
        "latency": late.median(),
        "n_positive": int(true.sum()),
        "n_negative": int((~true).sum()),
    }


def verdict_table(predictions: pd.DataFrame) -> pd.DataFrame:
    """verdicts.csv: precision, recall and F1 of each diagnoser's final verdicts, and their mean: macro-F1."""
    final = predictions[(predictions["fraction"] == 1.0) & (predictions["horizon"] == "end")]
    rows = []
    for (diagnoser, part), group in final.groupby(["diagnoser", "part"], sort=False):
        mine = [_f1_row(diagnoser, part, failure, group) for failure in (*FAILURES, "healthy")]
        f1 = [row["f1"] for row in mine if np.isfinite(row["f1"])]
        macro = {"diagnoser": diagnoser, "part": part, "verdict": "macro", "f1": np.mean(f1) if f1 else np.nan}
        rows += [*mine, macro]
    return pd.DataFrame(rows, columns=["diagnoser", "part", "verdict", "precision", "recall", "f1", "n"])


def _f1_row(diagnoser: object, part: object, verdict: str, group: pd.DataFrame) -> dict[str, Any]:
    if verdict == "healthy":  # none of its diagnoses finds anything
        by_run = group.groupby("run").agg(found=("found", "any"), true=("healthy", "first"))
        found, true = ~by_run["found"].to_numpy(bool), by_run["true"].to_numpy(bool)
    else:
        rows = group[group["diagnosis"] == verdict]
        found, true = rows["found"].to_numpy(bool), rows["true"].to_numpy(bool)
    precision, recall = precision_recall(true, found)
    hits = 2 * (true & found).sum()
    f1 = hits / (true.sum() + found.sum()) if true.any() else np.nan
    return {
        "diagnoser": diagnoser,
        "part": part,
        "verdict": verdict,
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "n": int(true.sum()),
    }


def stopping_table(predictions: pd.DataFrame) -> pd.DataFrame:
    """stopping.csv: the share of the compute of failed runs that `stop_on` would save, of healthy runs it would stop.

    A run that diverged ended by itself: there is nothing to save after its last step.
    """
    certain = predictions[predictions["alarm"] & (predictions["confidence"] >= STOP_CONFIDENCE)]
    first = certain.groupby(["diagnoser", "run"])["fraction"].min()
    runs = predictions.drop_duplicates("run").set_index("run")
    spent = runs["last_step"] / runs["steps"]
    rows = []
    for diagnoser in predictions["diagnoser"].unique():
        stopped_at = (
            first.get(diagnoser, pd.Series(dtype=float)) if diagnoser in first.index else pd.Series(dtype=float)
        )
        saved = (spent - runs.index.to_series().map(stopped_at).fillna(1.0)).clip(lower=0.0)
        for part in (*runs["part"].unique(), "all"):
            mine = runs if part == "all" else runs[runs["part"] == part]
            failed, healthy = mine.index[~mine["healthy"]], mine.index[mine["healthy"]]
            rows.append(
                {
                    "diagnoser": diagnoser,
                    "part": part,
                    "n_failed": len(failed),
                    "n_healthy": len(healthy),
                    "saved": saved[failed].sum() / spent[failed].sum() if len(failed) else np.nan,
                    "healthy_stopped": (saved[healthy] > 0).mean(),
                }
            )
    return pd.DataFrame(rows)


def confusion_table(predictions: pd.DataFrame, recordings: Sequence[Recording], diagnoser: str) -> pd.DataFrame:
    """confusion.csv: of the runs that ended with each failure (rows), how many got each verdict (columns)."""
    final = predictions[(predictions["fraction"] == 1.0) & (predictions["horizon"] == "end")]
    mine = final[(final["diagnoser"] == diagnoser) & final["found"]]
    found = mine.groupby("run")["diagnosis"].agg(set)
    table = pd.DataFrame(0, index=[*FAILURES, "healthy"], columns=[*FAILURES, "healthy"])
    for recording in recordings:
        for true in recording.labels.end or {"healthy"}:
            for verdict in found.get(recording.run, {"healthy"}):
                table.loc[true, verdict] += 1
    return table.rename_axis("true").reset_index()
