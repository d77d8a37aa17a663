"""What the scalars of a log can carry, said no louder than they can.

Losses are not comparable across objectives, and rules on them alone are folklore: on public logs of 64 runs the best of
them found 2 of 3 bad runs with 1 of 5 alarms false, its threshold fitted to those very runs. So losses alone give
warnings, and never a clean bill of health.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ...contract.records import Finding
from ..log import Log
from . import balance, divergence, insufficient, oscillation, quality

__all__ = ["verdicts", "weighed"]


def apply_rules(log: Log) -> tuple[Finding, ...]:
    """The findings that a log alone carries; an `inconclusive` one where it cannot show whether the run is well."""
    with np.errstate(all="ignore"):  # a log may hold numbers near the end of what floats reach
        found = tuple(_each(log))
        return found or tuple(insufficient.findings(log))


def _each(log: Log) -> Iterator[Finding]:
    for kind in (divergence, quality, balance, oscillation):
        yield from kind.findings(log)


def rank_findings(findings: Iterable[Finding]) -> list[Finding]:
    """The surest failures first; of two that say the same the one that shows evidence.

    `inconclusive` goes where something else was found, unless it is a failure itself.
    """
    best_last = sorted(findings, key=lambda f: (bool(f.evidence), f.severity == "failure", f.confidence))
    said = {(f.diagnosis, f.horizon): f for f in best_last}.values()
    named = any(f.diagnosis != "inconclusive" for f in said)
    kept = [f for f in said if f.diagnosis != "inconclusive" or f.severity == "failure" or not named]
    return sorted(kept, key=lambda f: (f.severity != "failure", -f.confidence, f.diagnosis))
