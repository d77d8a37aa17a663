"""The trials of a stored run as cases: which failed, which ended well, and which tell nothing.

How a trial ended: by its ground truth where it was measured, else by its diagnoses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from ...contract.errors import RequestError
from ...contract.records import Trial, TrialResult
from ...results.store import Store
from ..ground_truth.labels import PREFIX, failures_of, labels


@dataclass(frozen=True)
class Case:
    """A trial of the run, as it was stored, and how it ended."""

    result: TrialResult
    before: Outcome

    @property
    def trial(self) -> Trial:
        return self.result.trial


@dataclass(frozen=True)
class Cases:
    """The cases of a run in its order, and a line for whatever of it is no case."""

    failed: Sequence[Case]
    healthy: Sequence[Case]
    notes: Sequence[str]


def cases_of(store: Store) -> Cases:
    """Every trial of a run that ended, judged. Raises RequestError where none failed."""
    results, damaged = store.results()
    notes = [f"left out: {note}" for note in damaged]
    unended = Counter(result.status for result in results if result.status not in ENDED)
    notes += [f"left out: {count} trials that ended in {status}" for status, count in sorted(unended.items())]
    judged = [Case(result, before) for result in results if (before := judge_outcome(result))]
    if silent := len(results) - sum(unended.values()) - len(judged):
        notes.append(f"left out: {silent} trials with neither the metric 'ground-truth' nor diagnoses")
    failed = [case for case in judged if case.before.failed]
    healthy = [case for case in judged if not case.before.failed]
    if not failed:
        why = f"; {notes[0]}" if notes else ""
        raise RequestError(f"{store.folder}: nothing to treat: none of {len(judged)} trials failed{why}")
    return Cases(failed, healthy, notes)


def how_judged(cases: Cases) -> str:
    """What the trials were judged by and what came of it, in one line."""
    counts = Counter(case.before.by for case in (*cases.failed, *cases.healthy))
    by = ", ".join(f"{name} ({count} trials)" for name, count in counts.most_common())
    return f"judged by {by}: {len(cases.failed)} failed, {len(cases.healthy)} ended well"


TRUTH, VERDICTS = "ground truth", "verdicts"
ENDED = ("done", "stopped", "diverged")
METRIC = PREFIX.rstrip(".")


@dataclass(frozen=True)
class Outcome:
    """The failures that a trial ended with, none where it ended well, and what says so."""

    failures: tuple[str, ...]
    by: str

    @property
    def failed(self) -> bool:
        return bool(self.failures)


def judge_outcome(result: TrialResult) -> Outcome | None:
    """How a trial ended; None where it did not (error, timeout, skipped), or nothing tells how."""
    if result.status not in ENDED:
        return None
    measured = any(ref.name == METRIC for ref in result.trial.evaluation.metrics)
    if measured and (truth := _truth(result)) is not None:
        return Outcome(truth, TRUTH)
    failures = tuple(
        dict.fromkeys(f.diagnosis for f in result.findings if f.severity == "failure" and f.horizon == "now")
    )
    if result.status == "diverged":
        return Outcome(failures or ("divergence",), VERDICTS)
    return Outcome(failures, VERDICTS) if result.verdicts else None


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
        return tuple(sorted(labels(table, ended, result.status, failures_of(result.trial.data)).end))
    except KeyError:  # a trial stopped before anything but the cheap part was measured
        return None
