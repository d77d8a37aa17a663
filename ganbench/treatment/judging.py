"""How a trial ended: by its ground truth where it was measured, else by its diagnoses."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ..records import TrialResult
from ..zoo.truth.labels import PREFIX, kinds_of, labels

TRUTH, VERDICTS = "ground truth", "verdicts"
ENDED = ("done", "stopped", "diverged")
METRIC = PREFIX.rstrip(".")


@dataclass(frozen=True)
class Judgement:
    """The failures that a trial ended with, none where it ended well, and what says so."""

    failures: tuple[str, ...]
    by: str

    @property
    def failed(self) -> bool:
        return bool(self.failures)


def judge(result: TrialResult) -> Judgement | None:
    """How a trial ended; None where it did not (error, timeout, skipped), or nothing tells how."""
    if result.status not in ENDED:
        return None
    measured = any(ref.name == METRIC for ref in result.trial.evaluation.metrics)
    if measured and (truth := _truth(result)) is not None:
        return Judgement(truth, TRUTH)
    failures = tuple(
        dict.fromkeys(f.diagnosis for f in result.findings if f.severity == "failure" and f.horizon == "now")
    )
    if result.status == "diverged":
        return Judgement(failures or ("divergence",), VERDICTS)
    return Judgement(failures, VERDICTS) if result.verdicts else None


def _truth(result: TrialResult) -> tuple[str, ...] | None:
    """The failures that the ground truth names at the last step; None where it was not measured there."""
    if result.status == "diverged":
        return ("divergence",)
    rows = [(score.step, score.metric, score.value) for score in result.scores if score.metric.startswith(PREFIX)]
    ended = result.steps  # before the budget, where the trial was stopped
    if ended not in {step for step, _, _ in rows}:
        return None
    table = pd.DataFrame(rows, columns=["step", "metric", "value"])
    try:
        return tuple(sorted(labels(table, ended, result.status, kinds_of(result.trial.data)).end))
    except KeyError:  # a trial stopped before anything but the cheap part was measured
        return None
