"""From a history to findings, and from findings to a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..contract.adapt import adapt
from ..contract.components import Diagnosis
from ..contract.failures import INCONCLUSIVE, NO_FAILURE_FOUND, UNDERTRAINED, Failure
from ..contract.records import Evidence, Finding, History
from .age import is_undertrained


def apply_diagnoses(diagnoses: Mapping[str, Diagnosis], history: History) -> tuple[Finding, ...]:
    """Return the findings of every diagnosis: failures first, then by confidence."""
    diagnoses = {name: adapt("diagnosis", diagnosis) for name, diagnosis in diagnoses.items()}
    with np.errstate(all="ignore"):  # what was measured of nearly equal samples may be of any size
        findings = [_plain(finding) for diagnosis in diagnoses.values() for finding in diagnosis.diagnose(history)]
    follows = {name: diagnosis.follows for name, diagnosis in diagnoses.items()}
    findings = [replace(finding, cause=finding.cause or _cause(finding, findings, follows)) for finding in findings]
    return tuple(sorted(findings, key=lambda f: (f.severity != "failure", -f.confidence, f.diagnosis)))


def _cause(finding: Finding, others: Sequence[Finding], follows: Mapping[str, Sequence[str]]) -> str:
    """The most confident failure found beside this one that it may follow from, with an onset no later."""
    causes = [
        other
        for other in others
        if other.diagnosis in follows.get(finding.diagnosis, ())
        and (other.severity, other.horizon) == ("failure", finding.horizon)
        and other.onset_step <= finding.onset_step
    ]
    return max(causes, key=lambda other: other.confidence).diagnosis if causes else ""


def _plain(finding: Finding) -> Finding:
    """The finding in plain numbers: a diagnosis computes with arrays, and findings are stored as JSON."""
    evidence = {
        str(signal): Evidence(_finite(read.value), _finite(read.threshold), int(read.step))
        for signal, read in finding.evidence.items()
    }
    confidence = min(1.0, max(0.0, float(finding.confidence)))
    return replace(finding, confidence=confidence, onset_step=int(finding.onset_step), evidence=evidence)


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def verdicts(findings: Sequence[Finding], history: History, *, is_probed: bool = True) -> tuple[str, ...]:
    """Return the failures of the present state, or one word for a run without any.

    That is "undertrained" if samples were still getting nearer to the data when the budget ended, though there be signs
    of a failure of training that may pass; else "inconclusive" if there are findings that are no failures, and
    "no-failure-found" if there are none. Of a run that could not be probed too little was seen to say so: it is
    "inconclusive".

    Args:
        findings: Of the run.
        history: Of the run.
        is_probed: Whether it could be probed.
    """
    failures = dict.fromkeys(f.diagnosis for f in findings if f.severity == "failure" and f.horizon == "now")
    if failures:
        return tuple(failures)
    named = {finding.diagnosis for finding in findings}
    if is_probed and named <= {UNDERTRAINED, *Failure} and (UNDERTRAINED in named or is_undertrained(history)):
        return (UNDERTRAINED,)
    return (INCONCLUSIVE if named or not is_probed else NO_FAILURE_FOUND,)
