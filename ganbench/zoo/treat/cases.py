"""The trials of a stored run as cases: by ground truth if it was measured, else by diagnoses, failed or ended well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from ...contract.errors import RequestError
from ...contract.failures import Status
from ...contract.records import Trial, TrialResult
from ...results.store import Store
from ..ground_truth.labels import PREFIX, count_modes, labels

TRUTH, VERDICTS = "ground truth", "verdicts"
METRIC = PREFIX.rstrip(".")


@dataclass(frozen=True)
class Case:
    """A trial of the run, as it was stored, and how it ended."""

    result: TrialResult
    before: TrialOutcome

    @property
    def trial(self) -> Trial:
        return self.result.trial


@dataclass(frozen=True)
class Cases:
    """The cases of a run in its order, and a note for each trial that is not one."""

    failed: Sequence[Case]
    healthy: Sequence[Case]
    notes: Sequence[str]


def cases_of(store: Store) -> Cases:
    """Return every trial of a run that ended, with its outcome. Raises RequestError if none failed."""
    results, damaged = store.results()
    notes = [f"left out: {note}" for note in damaged]
    unended = Counter(result.status for result in results if not _has_ended(result))
    notes += [f"left out: {count} trials that ended in {status}" for status, count in sorted(unended.items())]
    cases = [Case(result, before) for result in results if (before := outcome_of(result))]
    if silent := len(results) - sum(unended.values()) - len(cases):
        notes.append(f"left out: {silent} trials with neither the metric 'ground-truth' nor diagnoses")
    failed = [case for case in cases if case.before.failed]
    healthy = [case for case in cases if not case.before.failed]
    if not failed:
        why = f"; {notes[0]}" if notes else ""
        raise RequestError(f"{store.folder}: nothing to treat: none of {len(cases)} trials failed{why}")
    return Cases(failed, healthy, notes)


def describe_outcomes(cases: Cases) -> str:
    """Return by what the outcomes were decided, and their counts, in one line."""
    counts = Counter(case.before.by for case in (*cases.failed, *cases.healthy))
    by = ", ".join(f"{name} ({count} trials)" for name, count in counts.most_common())
    return f"outcomes by {by}: {len(cases.failed)} failed, {len(cases.healthy)} ended well"


@dataclass(frozen=True)
class TrialOutcome:
    """The failures that a trial ended with, none if it ended well, and what decides it."""

    failures: tuple[str, ...]
    by: str

    @property
    def failed(self) -> bool:
        return bool(self.failures)


def _has_ended(result: TrialResult) -> bool:
    return result.status.finished or result.status is Status.DIVERGED


def outcome_of(result: TrialResult) -> TrialOutcome | None:
    """Return how a trial ended; None if it did not (error, timeout, skipped), or if nothing decides it."""
    if not _has_ended(result):
        return None
    measured = any(ref.name == METRIC for ref in result.trial.evaluation.metrics)
    if measured and (truth := _truth(result)) is not None:
        return TrialOutcome(truth, TRUTH)
    failures = tuple(
        dict.fromkeys(f.diagnosis for f in result.findings if f.severity == "failure" and f.horizon == "now")
    )
    if result.status == "diverged":
        return TrialOutcome(failures or ("divergence",), VERDICTS)
    return TrialOutcome(failures, VERDICTS) if result.verdicts else None


def _truth(result: TrialResult) -> tuple[str, ...] | None:
    """The failures that the ground truth names at the last step; None if it was not measured there."""
    if result.status == "diverged":
        return ("divergence",)
    rows = [(score.step, score.metric, score.value) for score in result.scores if score.metric.startswith(PREFIX)]
    ended = result.steps  # before the budget, where the trial was stopped
    if ended not in {step for step, _, _ in rows}:
        return None
    table = pd.DataFrame(rows, columns=["step", "metric", "value"])
    try:
        return tuple(sorted(labels(table, ended, result.status, count_modes(result.trial.data)).end))
    except KeyError:  # a trial stopped before anything but the cheap part was measured
        return None
