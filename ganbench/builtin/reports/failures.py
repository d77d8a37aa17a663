"""What went wrong, grouped as a reader asks for it: by data set and method, then by diagnosis."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import ganbench

from .numbers import as_float, count, number, percent
from .rankings import FAILED_STATUSES, in_order, rows


@dataclass(frozen=True)
class Sighting:
    """One seed's finding."""

    seed: str
    onset: int | None  # step
    confidence: str
    summary: str
    evidence: tuple[str, ...]  # "auc_d 0.99 (threshold 0.95) at step 1200"


@dataclass(frozen=True)
class FindingGroup:
    """One diagnosis of one method on one data set, over its seeds."""

    diagnosis: str
    horizon: str  # "now" or "end"
    severity: str
    sightings: tuple[Sighting, ...]
    remedies: tuple[str, ...]
    seeds: int  # of this method on this data set

    @property
    def extent(self) -> str:
        """How many seeds bear it, and since when: `2 of 3 seeds, from step 400`."""
        seen = len({sighting.seed for sighting in self.sightings})
        steps = [sighting.onset for sighting in self.sightings if sighting.onset is not None]
        since = f", from step {min(steps):,}" if steps else ""
        return f"{seen} of {count(self.seeds, 'seed')}{since}"

    @property
    def summaries(self) -> list[str]:
        """The distinct summaries of its sightings."""
        return in_order(sighting.summary for sighting in self.sightings)


@dataclass(frozen=True)
class FailureRecord:
    """A trial that did not run to its end, and why."""

    seed: str
    status: str
    reason: str
    steps: int

    @property
    def failed(self) -> bool:
        return self.status in FAILED_STATUSES


@dataclass(frozen=True)
class MethodFailures:
    """All that went wrong with one method on one data set."""

    dataset: str
    method: str
    complaints: tuple[FindingGroup, ...]
    endings: tuple[FailureRecord, ...]

    @property
    def severe(self) -> bool:
        """Whether anything in it is a failure, not a warning."""
        return any(complaint.severity == "failure" for complaint in self.complaints) or any(
            ending.failed for ending in self.endings
        )


def collect_failures(comparison: ganbench.Comparison) -> list[MethodFailures]:
    """What went wrong, for each data set × method where something did, in the order of the trials."""
    findings: dict[tuple[str, str], list[dict[str, Any]]] = {}
    trials: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for groups, table in ((trials, comparison.trials), (findings, comparison.findings)):
        for row in rows(table):
            groups.setdefault((str(row["dataset"]), str(row["method"])), []).append(row)
    found = [
        _method_failures(dataset, method, trials.get((dataset, method), []), findings.get((dataset, method), []))
        for dataset, method in dict.fromkeys([*trials, *findings])
    ]
    return [trouble for trouble in found if trouble.complaints or trouble.endings]


def _method_failures(
    dataset: str, method: str, trials: list[dict[str, Any]], findings: list[dict[str, Any]]
) -> MethodFailures:
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in findings:
        key = (str(row["severity"] or ""), str(row["diagnosis"]), str(row["horizon"] or ""))
        groups.setdefault(key, []).append(row)
    complaints = [_finding_group(key, group, len(trials)) for key, group in groups.items()]
    complaints.sort(key=lambda complaint: (complaint.severity != "failure", complaint.horizon == "end"))
    endings = [_failure_record(trial) for trial in trials if trial["status"] != "done"]
    return MethodFailures(dataset, method, tuple(complaints), tuple(endings))


def _finding_group(key: tuple[str, str, str], findings: list[dict[str, Any]], seeds: int) -> FindingGroup:
    severity, diagnosis, horizon = key
    return FindingGroup(
        diagnosis=diagnosis,
        horizon=horizon,
        severity=severity,
        sightings=tuple(_sighting(row) for row in findings),
        remedies=tuple(in_order(row["remedy"] for row in findings if row["remedy"])),
        seeds=seeds,
    )


def _sighting(row: dict[str, Any]) -> Sighting:
    return Sighting(
        seed=is_whole(row["seed"]),
        onset=None if row["onset_step"] is None else int(row["onset_step"]),
        confidence=percent(as_float(row["confidence"])),
        summary=str(row["summary"] or ""),
        evidence=tuple(_evidence(row["evidence"])),
    )


def _failure_record(trial: dict[str, Any]) -> FailureRecord:
    return FailureRecord(
        is_whole(trial["seed"]),
        str(trial["status"]),
        str(trial["reason"] or ""),
        int(as_float(trial["steps"]) or 0),
    )


def _evidence(text: Any) -> list[str]:
    """The JSON of a finding's evidence as one text for each signal; text that is no such JSON is shown as it is."""
    try:
        signals = json.loads(text) if text else {}
        return [
            f"{signal} {number(as_float(read['value']))} (threshold {number(as_float(read['threshold']))})"
            f" at step {int(read['step']):,}"
            for signal, read in signals.items()
        ]
    except (ValueError, TypeError, KeyError, AttributeError):
        return [str(text)]


def is_whole(value: Any) -> str:
    """A seed as text: frames with missing cells hold 3 as 3.0."""
    return f"{value:g}" if isinstance(value, float) else str(value)
