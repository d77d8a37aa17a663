"""Stage 6: a history to findings, and findings to a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..records import Finding, History


def diagnose(diagnoses: Mapping[str, Any], history: History) -> tuple[Finding, ...]:
    """The findings of every diagnosis, the surest failures first."""
    findings = [finding for diagnosis in diagnoses.values() for finding in diagnosis.diagnose(history)]
    return tuple(sorted(findings, key=lambda f: (f.severity != "failure", -f.confidence, f.diagnosis)))


def verdicts(findings: Sequence[Finding]) -> tuple[str, ...]:
    """The failures found; "inconclusive" where there are only warnings, "healthy" where there is nothing."""
    failures = dict.fromkeys(f.diagnosis for f in findings if f.severity == "failure")
    if failures:
        return tuple(failures)
    return ("inconclusive",) if findings else ("healthy",)
