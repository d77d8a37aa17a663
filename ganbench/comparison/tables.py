"""Stored results as the four tables of a report."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import pandas as pd

from ..plan import regularizer_names
from ..records import TrialResult
from .ranking import standings
from .statistics import Array, iqm, iqm_interval, wilson_interval

LOST = ("diverged", "error", "timeout")  # the trial has no final score

TRIALS = [
    *("suite", "trial", "dataset", "method", "generator", "discriminator", "loss", "regularizers", "seed"),
    *("status", "reason", "verdicts", "steps", "train_seconds", "seconds", "device", "threads"),
]
SCORES = [
    *("suite", "trial", "dataset", "method", "seed", "step", "metric", "value", "better", "floor"),
    *("n_real", "n_fake", "seconds"),
]
FINDINGS = [
    *("suite", "trial", "dataset", "method", "seed", "diagnosis", "horizon", "severity", "confidence"),
    *("onset_step", "summary", "evidence", "remedy"),
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
                "status": r.status,
                "reason": r.reason,
                "verdicts": ";".join(r.verdicts),
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
        {**_place(r), **{name: getattr(score, name) for name in SCORES if hasattr(score, name)}}
        for r in results
        for score in r.scores
    ]
    return pd.DataFrame(rows, columns=SCORES)


def findings_table(results: Sequence[TrialResult]) -> pd.DataFrame:
    """A row for each finding; its evidence as JSON."""
    rows = [
        {
            **_place(r),
            **{name: getattr(finding, name) for name in FINDINGS if hasattr(finding, name)},
            "evidence": msgspec.json.encode(finding.evidence, order="sorted").decode(),
        }
        for r in results
        for finding in r.findings
    ]
    return pd.DataFrame(rows, columns=FINDINGS)


def comparison_table(trials: pd.DataFrame, scores: pd.DataFrame, findings: pd.DataFrame) -> pd.DataFrame:
    """A row for each data set × method × metric.

    A trial has failed if it was lost (diverged, error, timeout) or bears a finding of severity `failure` about its
    state. Means are over the trials with a final score; ranks count a lost trial as the worst value there is.
    """
    sick = set(findings.loc[(findings.severity == "failure") & (findings.horizon == "now"), "trial"])
    ran = trials[trials.status != "skipped"]
    failed = ran.trial.isin(sick) | ran.status.isin(LOST)
    lost = set(ran.loc[ran.status.isin(LOST), "trial"])
    final = scores.loc[~scores.trial.isin(lost)].groupby(["trial", "metric"], sort=False).tail(1)
    rows: list[dict[str, object]] = []
    for (suite, dataset, metric), group in scores.groupby(["suite", "dataset", "metric"], sort=False):
        sign = 1 if group.better.iloc[0] == "higher" else -1
        here = ran[(ran.suite == suite) & (ran.dataset == dataset)]
        ends = final[(final.suite == suite) & (final.dataset == dataset) & (final.metric == metric)]
        by_method = {name: here[here.method == name] for name in here.method.unique()}
        seeds = {name: _per_seed(mine, ends, sign) for name, mine in by_method.items()}
        places = standings(seeds)
        for name, mine in by_method.items():
            ours = group[group.method == name]
            rows.append(
                {
                    "suite": suite,
                    "dataset": dataset,
                    "method": name,
                    "metric": metric,
                    "better": group.better.iloc[0],
                    **_failures(int(failed[mine.index].sum()), len(mine)),
                    **_summary(sign * seeds[name][np.isfinite(seeds[name])]),
                    "best_mean": (sign * (sign * ours.value).groupby(ours.trial).max()).mean(),
                    "floor": ours.floor.mean(),
                    "rank": places[name].rank,
                    "p_better": places[name].p_better,
                    "verdict": places[name].verdict,
                }
            )
    return pd.DataFrame(rows, columns=COMPARISON)


def _place(result: TrialResult) -> dict[str, object]:
    trial = result.trial
    return {
        "suite": trial.suite,
        "trial": trial.id,
        "dataset": trial.dataset,
        "method": trial.method,
        "seed": trial.seed,
    }


def _per_seed(trials: pd.DataFrame, ends: pd.DataFrame, sign: int) -> Array:
    """The final value of each trial, turned so that higher is better; -inf where there is none."""
    values = sign * trials.trial.map(ends.set_index("trial").value).to_numpy(dtype=float)
    return np.where(np.isfinite(values), values, -math.inf)


def _failures(failed: int, n: int) -> dict[str, object]:
    low, high = wilson_interval(failed, n)
    return {
        "n_seeds": n,
        "failed": failed,
        "failure_rate": failed / n,
        "failure_low": low,
        "failure_high": high,
    }


def _summary(values: Array) -> dict[str, object]:
    low, high = iqm_interval(values)
    return {
        "n_scored": len(values),
        "mean": values.mean() if len(values) else math.nan,
        "std": values.std(ddof=1) if len(values) > 1 else math.nan,
        "iqm": iqm(values),
        "iqm_low": low,
        "iqm_high": high,
    }
