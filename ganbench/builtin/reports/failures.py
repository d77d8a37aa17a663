"""Collect what went wrong, by data set and method: trials that did not end as planned, and findings by diagnosis."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import ganbench

from .numbers import format_count, format_number, format_percent, format_seed, parse_float
from .rankings import distinct, to_records


@dataclass(frozen=True)
class Reading:
    """A signal of a finding's evidence: its value at a step, and the threshold that healthy runs stay within."""

    signal: str
    value: float | None
    threshold: float | None
    step: int

    @property
    def text(self) -> str:
        """`auc_d 0.990 (threshold 0.950) at step 1,200`."""
        return (
            f"{self.signal} {format_number(self.value)} (threshold {format_number(self.threshold)})"
            f" at step {self.step:,}"
        )


@dataclass(frozen=True)
class SeedFinding:
    """A finding of one seed."""

    seed: str
    onset: int | None  # step
    confidence: str
    summary: str
    evidence: tuple[str, ...]  # as text
    readings: tuple[Reading, ...] = ()  # as numbers, where it is


@dataclass(frozen=True)
class FindingGroup:
    """The findings of one diagnosis for one method on one data set, over its seeds."""

    diagnosis: str
    horizon: str  # "now" or "end"
    severity: str
    findings: tuple[SeedFinding, ...]
    remedies: tuple[str, ...]
    seeds: int  # of this method on this data set
    track_records: tuple[str, ...] = ()  # how the remedies fared in the zoo

    @property
    def is_failure(self) -> bool:
        """Whether these are failures rather than warnings."""
        return self.severity == "failure"

    @property
    def is_forecast(self) -> bool:
        """Whether these are forecasts for the end of training."""
        return self.horizon == "end"

    @property
    def extent(self) -> str:
        """How many seeds are affected, and since when: `2 of 3 seeds, from step 400`."""
        affected = len({finding.seed for finding in self.findings})
        onsets = [finding.onset for finding in self.findings if finding.onset is not None]
        since = f", from step {min(onsets):,}" if onsets else ""
        return f"{affected} of {format_count(self.seeds, 'seed')}{since}"

    @property
    def summaries(self) -> list[str]:
        """The distinct summaries of its findings."""
        return distinct(finding.summary for finding in self.findings)


@dataclass(frozen=True)
class FailureRecord:
    """A trial that did not train to the end of its budget, and why."""

    seed: str
    status: ganbench.Status
    reason: str
    steps: int


@dataclass(frozen=True)
class MethodFailures:
    """All that went wrong with one method on one data set."""

    dataset: str
    method: str
    groups: tuple[FindingGroup, ...]
    records: tuple[FailureRecord, ...]

    @property
    def is_failure(self) -> bool:
        """Whether any of it is a failure rather than a warning."""
        return any(group.is_failure for group in self.groups) or any(record.status.lost for record in self.records)


def collect_failures(comparison: ganbench.Comparison) -> list[MethodFailures]:
    """Return what went wrong for each data set and method for which anything did, in the order of the trials."""
    findings: dict[tuple[str, str], list[dict[str, Any]]] = {}
    trials: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for rows, table in ((trials, comparison.trials), (findings, comparison.findings)):
        for row in to_records(table):
            rows.setdefault((str(row["dataset"]), str(row["method"])), []).append(row)
    collected = [
        _method_failures(dataset, method, trials.get((dataset, method), []), findings.get((dataset, method), []))
        for dataset, method in dict.fromkeys([*trials, *findings])
    ]
    return [failures for failures in collected if failures.groups or failures.records]


def _method_failures(
    dataset: str, method: str, trials: list[dict[str, Any]], findings: list[dict[str, Any]]
) -> MethodFailures:
    by_diagnosis: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in findings:
        key = (str(row["severity"] or ""), str(row["diagnosis"]), str(row["horizon"] or ""))
        by_diagnosis.setdefault(key, []).append(row)
    groups = [_finding_group(key, rows, len(trials)) for key, rows in by_diagnosis.items()]
    groups.sort(key=lambda group: (not group.is_failure, group.is_forecast))
    records = [_failure_record(trial) for trial in trials if trial["status"] != ganbench.Status.DONE]
    return MethodFailures(dataset, method, tuple(groups), tuple(records))


def _finding_group(key: tuple[str, str, str], findings: list[dict[str, Any]], seeds: int) -> FindingGroup:
    severity, diagnosis, horizon = key
    return FindingGroup(
        diagnosis=diagnosis,
        horizon=horizon,
        severity=severity,
        findings=tuple(_seed_finding(row) for row in findings),
        remedies=tuple(distinct(row["remedy"] for row in findings if row["remedy"])),
        seeds=seeds,
        track_records=tuple(distinct(row["track_record"] for row in findings if row.get("track_record"))),
    )


def _seed_finding(row: dict[str, Any]) -> SeedFinding:
    readings = _parse_evidence(row["evidence"])
    return SeedFinding(
        seed=format_seed(row["seed"]),
        onset=None if row["onset_step"] is None else int(row["onset_step"]),
        confidence=format_percent(parse_float(row["confidence"])),
        summary=str(row["summary"] or ""),
        evidence=(str(row["evidence"]),) if readings is None else tuple(reading.text for reading in readings),
        readings=tuple(readings or ()),
    )


def _failure_record(trial: dict[str, Any]) -> FailureRecord:
    return FailureRecord(
        format_seed(trial["seed"]),
        ganbench.Status(trial["status"]),
        str(trial["reason"] or ""),
        int(parse_float(trial["steps"]) or 0),
    )


def _parse_evidence(text: Any) -> list[Reading] | None:
    """Return the signals of a finding's evidence, given as JSON; None if the text is not such JSON."""
    try:
        return [
            Reading(str(signal), parse_float(reading["value"]), parse_float(reading["threshold"]), int(reading["step"]))
            for signal, reading in (json.loads(text) if text else {}).items()
        ]
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
