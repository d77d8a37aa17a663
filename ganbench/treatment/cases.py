"""The trials of a stored run as cases: which failed, which ended well, and which tell nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import RequestError
from ..records import Trial, TrialResult
from ..store import Store
from .judging import ENDED, Judgement, judge


@dataclass(frozen=True)
class Case:
    """A trial of the run, as it was stored, and how it ended."""

    result: TrialResult
    before: Judgement

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
    judged = [Case(result, before) for result in results if (before := judge(result))]
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
