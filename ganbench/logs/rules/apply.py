"""Apply all rules to a log, report an inconclusive one, and rank findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ...contract.failures import INCONCLUSIVE
from ...contract.records import Evidence, Finding, Remedy
from ..log import Log
from ..onset import SCORES, is_never_finite, transient_nonfinite
from . import balance, divergence, oscillation, quality, standstill

OWN_PROBES = frozenset({"coverage", "fresh_critic_auc"})  # signals that ganbench measures: they can show a healthy run
HELPFUL_SIGNALS = {  # what would settle an inconclusive log: each with the columns that hold it
    "a quality score over training (fid)": SCORES,
    "AUC_D on held-out data (auc_d)": ("auc_d",),
    "D's sign on training reals (sign_real)": ("sign_real", "auc_d"),
}


def apply_rules(log: Log) -> tuple[Finding, ...]:
    """Return the findings that the log alone supports.

    If no rule applies and the log cannot show that the run is healthy, the only finding is `inconclusive`.
    """
    with np.errstate(all="ignore"):  # values may lie near the limits of floats
        findings: dict[str, Finding] = {}
        for finding in _apply_each(log):
            findings.setdefault(finding.diagnosis, finding)  # of one failure the first that is found, the surest
        return tuple(findings.values()) or tuple(_insufficient(log))


def rank_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings by severity and confidence, and drop duplicates.

    Of several findings with the same diagnosis and horizon the one with evidence is kept. A warning that the log is
    `inconclusive` is dropped if anything else was found.
    """
    best_last = sorted(findings, key=lambda f: (bool(f.evidence), f.severity == "failure", f.confidence))
    unique = {(f.diagnosis, f.horizon): f for f in best_last}.values()
    conclusive = any(f.diagnosis != INCONCLUSIVE for f in unique)
    kept = [f for f in unique if f.diagnosis != INCONCLUSIVE or f.severity == "failure" or not conclusive]
    return sorted(kept, key=lambda f: (f.severity != "failure", -f.confidence, f.diagnosis))


def _apply_each(log: Log) -> Iterator[Finding]:
    for rule in (divergence, quality, standstill, balance, oscillation):
        yield from rule.findings(log)


def _insufficient(log: Log) -> Iterator[Finding]:
    """Yield an inconclusive finding that names the missing signals, unless a quality score or a probe was logged."""
    if quality.quality_of(log) is not None or OWN_PROBES & log.series.keys():
        return
    missing = [what for what, names in HELPFUL_SIGNALS.items() if not any(name in log.series for name in names)]
    if any(name in log.series for name in SCORES):
        missing.append("more than two values of the quality score")
    logged = {name: series for name in log.recognised if len(series := log.series[name].finite)}
    last = max((float(series.steps[-1]) for series in log.series.values()), default=0.0)
    yield Finding(
        diagnosis=INCONCLUSIVE,
        horizon="now",
        severity="warning",
        confidence=0.2,
        onset_step=int(last),
        summary=(
            f"{_nonfinite_remarks(log)}No failure is visible in {', '.join(logged) or 'the rest'}, which cannot show that "
            f"the run is healthy either. What would help: {', '.join([*missing, 'samples'])}."
        ),
        evidence={
            name: Evidence(float(series.values[-1]), None, int(series.steps[-1])) for name, series in logged.items()
        },
        remedy=Remedy(),
    )


def _nonfinite_remarks(log: Log) -> str:
    """Return a sentence on each signal that is never finite, or was not for a while; empty if there is none."""
    remarks = []
    for name in log.recognised:
        series = log.series[name]
        passed = transient_nonfinite(series)
        if is_never_finite(series):
            remarks.append(f"{name} is never finite (none of its {len(series)} values): it does not count as logged. ")
        elif len(passed):
            first, last = (log.format_step(float(series.steps[i])) for i in (passed[0], passed[-1]))
            remarks.append(
                f"{name} was not finite {len(passed)} times between {first} and {last}, and was again since. "
            )
    return "".join(remarks)
