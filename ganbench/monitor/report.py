"""What a monitor has seen, as text and as the page that a run gets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from torch import Tensor

from ..contract.errors import RequestError
from ..contract.failures import Status
from ..contract.records import (
    Artifacts,
    ComponentRef,
    Components,
    DataSpec,
    Evaluation,
    Finding,
    History,
    Training,
    Trial,
    TrialResult,
)
from ..diagnosis.distance import judge_distance
from ..diagnosis.findings import verdicts
from ..registry.registry import load_registry

SUITE, TRIAL = "monitored", "loop"
YOURS = ComponentRef("yours")


class Monitored(Protocol):
    """What is told of a monitor."""

    budget: int
    muted: str | None
    notes: tuple[str, ...]

    @property
    def findings(self) -> tuple[Finding, ...]: ...

    def history(self) -> History: ...


def describe(monitor: Monitored, steps: int) -> str:
    """Return what is known of a loop after `steps` steps, in a few lines."""
    history = monitor.history()
    observed = history.columns["step"]
    state = f"disabled: {monitor.muted}" if monitor.muted else f"{len(observed)} observations"
    lines = [f"ganbench.Monitor: step {steps} of {monitor.budget}, {state}"]
    for finding in monitor.findings:
        when = "forecast for the end" if finding.horizon == "end" else f"since step {finding.onset_step}"
        lines.append(f"  {finding.severity}: {finding.diagnosis} ({finding.confidence:.0%}), {when}: {finding.summary}")
        if finding.remedy:
            lines.append(f"    try: {finding.remedy}")
    if not monitor.findings:
        lines.append("  nothing was found" if len(observed) else "  nothing was observed yet")
    lines += [f"  note: {note}" for note in monitor.notes]
    return "\n".join(lines)


def write_report(
    monitor: Monitored, folder: Path, diagnoses: Sequence[str], samples: tuple[Tensor, Tensor] | None
) -> Path:
    """Write a monitor's history and findings as a run of one trial, and its page; return the page.

    Args:
        monitor: The monitor.
        folder: Where; what an earlier report wrote there is replaced.
        diagnoses: Those that were made.
        samples: Generated and real ones to be shown.

    Raises:
        RequestError: The folder cannot be written, or holds something else; or the page cannot be made.
    """
    from ..results.comparison import compare  # pandas and scipy, which a loop without a report does not wait for
    from ..results.reports import write_reports
    from ..results.store import Store, describe_environment

    store = Store(folder)
    store.check(SUITE)
    result = _result(monitor, diagnoses, samples)
    registry = load_registry()
    environment = describe_environment("ganbench.Monitor.report()", "", registry.plugins.origins.values())
    facts = {"suite": SUITE, "summary": "A training loop of your own, as a monitor has seen it.", "trials": [TRIAL]}
    with store.begin_run(facts, environment):
        store.write(result)
        files, failed = write_reports(compare(store), [ComponentRef("html")], registry, store.report)
    if not files:
        raise RequestError(f"the page cannot be written to {store.report}: {'; '.join(failed.values())}")
    return files[0]


def _result(monitor: Monitored, diagnoses: Sequence[str], samples: tuple[Tensor, Tensor] | None) -> TrialResult:
    history = monitor.history()
    steps = history.columns["step"]
    done = int(steps[-1]) if len(steps) else 0
    data = _spec(samples)
    training = Training(monitor.budget, 1, YOURS, YOURS)
    parts = Components(YOURS, YOURS, YOURS, YOURS)
    made = tuple(ComponentRef(name) for name in diagnoses)
    trial = Trial(TRIAL, SUITE, "yours", "yours", 0, data, parts, training, Evaluation(()), made)
    findings = monitor.findings
    findings = (*findings, *judge_distance(findings, history, ()))
    shown = None
    if samples is not None and data.kind != "unknown":
        shown = tuple(part.float().numpy() for part in samples)
    return TrialResult(
        trial,
        Status.DIVERGED if history.nonfinite is not None else Status.DONE,
        reason=monitor.muted or "",
        steps=done,
        findings=findings,
        verdicts=verdicts(findings, history, is_probed=_is_probed(history)),
        artifacts=Artifacts(history, *(shown or (None, None))),
    )


def _is_probed(history: History) -> bool:
    return bool(np.isfinite(history.columns.get("coverage", np.empty(0))).any())


def _spec(samples: tuple[Tensor, Tensor] | None) -> DataSpec:
    shape = () if samples is None else tuple(samples[1].shape[1:])
    if len(shape) == 1:
        return DataSpec("points", shape)
    if len(shape) == 3 and shape[0] in (1, 3):
        return DataSpec("images", shape)
    return DataSpec("unknown", shape)
