"""What a run says while it happens: the records that `ganbench_event` is called with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .records import Trial, TrialResult


@dataclass(frozen=True)
class RunStarted:
    """A run begins: trials to do, and trials kept from an earlier one."""

    suite: str
    todo: int
    kept: int
    output: str = ""  # the results folder


@dataclass(frozen=True)
class TrialStarted:
    """A worker takes a trial up."""

    trial: Trial


@dataclass(frozen=True)
class TrialProgress:
    """A trial has been observed at `step` of `steps`; `row` holds what the history gained."""

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
    """Every trial came back and the reports are written."""

    suite: str
    reports: tuple[str, ...]


Event = RunStarted | TrialStarted | TrialProgress | TrialEnded | RunEnded
