"""Events of a run: the records that the hook `ganbench_event` is called with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .records import Trial, TrialResult


@dataclass(frozen=True)
class RunStarted:
    """A run begins: the numbers of trials to run and of results kept from an earlier run, and the results folder."""

    suite: str
    todo: int
    kept: int
    output: str = ""


@dataclass(frozen=True)
class TrialStarted:
    """A worker begins a trial."""

    trial: Trial


@dataclass(frozen=True)
class TrialResumed:
    """A trial goes on from a checkpoint, with `step` steps done."""

    trial_id: str
    step: int


@dataclass(frozen=True)
class TrialNote:
    """Something that a user should know of a trial while it runs, in a line."""

    trial_id: str
    text: str


@dataclass(frozen=True)
class TrialProgress:
    """A trial has been observed at `step` of `steps`; `row` is the new row of its history."""

    trial_id: str
    step: int
    steps: int
    row: Mapping[str, float]


@dataclass(frozen=True)
class TrialEnded:
    """A trial has ended and, where the run stores results, is stored."""

    result: TrialResult


@dataclass(frozen=True)
class RunEnded:
    """All trials have ended and the reports are written."""

    suite: str
    reports: tuple[str, ...]


Event = RunStarted | TrialStarted | TrialResumed | TrialNote | TrialProgress | TrialEnded | RunEnded
