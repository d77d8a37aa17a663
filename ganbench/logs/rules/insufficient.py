"""What is missing from a log that shows neither a failure nor a healthy run."""

from __future__ import annotations

from collections.abc import Iterator

from ...contract.records import Evidence, Finding, Remedy
from ..log import Log
from .quality import SCORES, quality_of

WANTED = {
    "a quality score over training (fid)": SCORES,
    "AUC_D on held-out data (auc_d)": ("auc_d",),
    "D's sign on training reals (sign_real)": ("sign_real", "auc_d"),
}


def findings(log: Log) -> Iterator[Finding]:
    """One finding, unless the log has a quality score or our own probes: only they can show that a run is well."""
    if quality_of(log) is not None or {"coverage", "fresh_critic_auc"} & log.series.keys():
        return
    missing = [what for what, names in WANTED.items() if not any(name in log.series for name in names)]
    if any(name in log.series for name in SCORES):
        missing.append("more than two values of the quality score")
    read = {name: series for name in log.recognised if len(series := log.series[name].finite)}
    last = max((float(series.steps[-1]) for series in log.series.values()), default=0.0)
    yield Finding(
        diagnosis="inconclusive",
        horizon="now",
        severity="warning",
        confidence=0.2,
        onset_step=int(last),
        summary=(
            f"Nothing stands out in {', '.join(log.recognised)}, which cannot show that the run is well. "
            f"To tell: {', '.join([*missing, 'samples'])}."
        ),
        evidence={
            name: Evidence(float(series.values[-1]), None, int(series.steps[-1])) for name, series in read.items()
        },
        remedy=Remedy(),
    )
