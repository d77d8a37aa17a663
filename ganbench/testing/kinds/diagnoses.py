"""What is asked of a diagnosis. Runs that it must call healthy or failed are in `recordings`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import numpy as np

from ...contract.errors import did_you_mean
from ...contract.records import Evidence, Finding, History, Horizon, Remedy, Severity
from ...observation.probes import PROBES
from ...trial import run_trial
from ..candidate import Candidate
from ..check import ContractError, NotApplicable, behaviour, check
from ..helpers.recordings import FAILING, HEALTHY, recording
from ..helpers.trials import RING, small_trial


def failing_history(candidate: Candidate) -> tuple[str, History]:
    """What the diagnosis must be loud on, in words and as a history. Raises ContractError where it says so nowhere."""
    build, name = candidate.entry.build, candidate.entry.name
    if hasattr(build, "failing_history"):
        history = build.failing_history()
        if not isinstance(history, History):
            raise ContractError(
                f"failing_history() returns {type(history).__name__}",
                cause="the columns alone are returned",
                fix="return ganbench.History(columns, steps)",
            )
        return "its own failing_history()", history
    named = getattr(build, "loud_on", name)
    if named not in FAILING:
        raise ContractError(
            f"it is not known what {name!r} should find: no run called {named!r} is recorded",
            cause="neither `loud_on` nor `failing_history` is declared",
            fix=f'declare loud_on = "..." with one of {", ".join(FAILING)}, or a static method failing_history() that '
            "returns a ganbench.History of a run that has failed",
        )
    return f"the recorded run {named!r}", recording(named)


def histories(candidate: Candidate) -> Iterator[tuple[str, History]]:
    """Every run that it can be tried on, each with its name."""
    for name in (*HEALTHY, *FAILING):
        yield f"the recorded run {name!r}", recording(name)
    if hasattr(candidate.entry.build, "failing_history"):
        yield failing_history(candidate)


def failures(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == "failure"]


@check("diagnosis")
def is_silent_on_healthy_runs(candidate: Candidate) -> None:
    """It finds no failure in a healthy run."""
    diagnosis = candidate.build()
    for name in HEALTHY:
        for finding in failures(list(diagnosis.diagnose(recording(name)))):
            raise ContractError(
                f"finds a failure in the recorded run {name!r}, where nothing is wrong: {finding.summary}",
                cause="a threshold that good runs cross too, or a moment taken for a state",
                fix="ask for a signal that good runs do not show, held over several observations up to the end",
            )


@check("diagnosis")
def is_loud_on_a_failed_run(candidate: Candidate) -> None:
    """It finds a failure in the run that failed in its way."""
    where, history = failing_history(candidate)
    found = list(candidate.build().diagnose(history))
    if not failures(found):
        said = f"only warns ({found[0].summary})" if found else "finds nothing"
        raise ContractError(
            f"{said} in {where}",
            cause="a threshold too strict, or a column that is called otherwise: " + ", ".join(sorted(history.columns)),
            fix='yield a Finding of severity "failure"; or declare the run that it should find, as `loud_on`',
        )


@check("diagnosis")
def findings_are_well_formed(candidate: Candidate) -> None:
    """What it finds says what, since when, how sure, from which values, and what to change."""
    diagnosis = candidate.build()
    for where, history in histories(candidate):
        for finding in diagnosis.diagnose(history):
            if not isinstance(finding, Finding):
                raise ContractError(
                    f"yields {type(finding).__name__} for {where}",
                    cause="a text or a mapping instead of the record",
                    fix="yield ganbench.Finding(diagnosis=..., horizon=..., severity=..., ...)",
                )
            for fault, fix in _faults(finding, candidate.entry.name, history):
                raise ContractError(
                    f"a finding on {where} is malformed: {fault}",
                    cause="a field of ganbench.Finding filled with something else than its meaning",
                    fix=fix,
                )


def _faults(finding: Finding, name: str, history: History) -> Iterator[tuple[str, str]]:
    """What is wrong with a finding, and how to fix it."""
    if finding.diagnosis != name:
        yield f"diagnosis = {finding.diagnosis!r}", f"give the component's name, {name!r}: stop_on goes by it"
    if finding.severity not in get_args(Severity):
        yield f"severity = {finding.severity!r}", 'give "warning" or "failure"'
    if finding.horizon not in get_args(Horizon):
        yield f"horizon = {finding.horizon!r}", 'give "now" for what is, "end" for a forecast'
    if not (_is_number(finding.confidence) and 0 <= finding.confidence <= 1):
        yield f"confidence = {finding.confidence!r}", "give a number from 0 to 1"
    if not _is_step(finding.onset_step, history):
        yield (
            f"onset_step = {finding.onset_step!r}, of {history.steps} steps",
            "give the step from which the state holds",
        )
    if not isinstance(finding.summary, str) or not finding.summary.strip():
        yield f"summary = {finding.summary!r}", "give a summary in words"
    if not isinstance(finding.remedy, Remedy) or not str(finding.remedy).strip():
        yield f"remedy = {finding.remedy!r}", "give ganbench.Remedy(settings, advice), with one of them at least"
    if not finding.evidence and history.nonfinite is None:  # a breakdown may come before any row
        yield "there is no evidence", "give the signals that were read, with values and thresholds"
    for signal, read in finding.evidence.items():
        if not isinstance(read, Evidence) or not all(_is_number(v) or v is None for v in (read.value, read.threshold)):
            yield f"evidence {signal!r} is {read!r}", "give ganbench.Evidence(value, threshold, step) in plain numbers"
        elif not _is_step(read.step, history):
            yield f"evidence {signal!r} was read at step {read.step!r}", "give the step of the row that was read"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _is_step(value: Any, history: History) -> bool:
    return _is_number(value) and math.isfinite(value) and value == int(value) and 0 <= value <= history.steps


@check("diagnosis")
def handles_missing_signals(candidate: Candidate) -> None:
    """With nothing to read it neither raises nor finds a failure: no row, one row, no column, nothing measured."""
    diagnosis = candidate.build()
    whole = failing_history(candidate)[1]
    whole = replace(whole, nonfinite=None)  # a breakdown is something to read
    steps = whole.columns.get("step", np.arange(1, 11))
    nothing = {
        "a history without rows": replace(whole, columns={k: v[:0] for k, v in whole.columns.items()}),
        "a history without columns": replace(whole, columns={}),
        "a history of steps alone": replace(whole, columns={"step": steps}),
        "a history where nothing was measured": replace(
            whole, columns={k: v if k == "step" else np.full(len(v), math.nan) for k, v in whole.columns.items()}
        ),
    }
    for what, history in nothing.items():
        try:
            found = failures(list(diagnosis.diagnose(history)))
        except Exception as error:
            raise ContractError(
                f"raises {type(error).__name__} for {what}: {error}",
                cause="a column is read, or its last row, without asking whether it is there",
                fix="find nothing where a column is missing or holds no finite value",
            ) from error
        if found:
            raise ContractError(
                f"finds a failure in {what}: {found[0].summary}",
                cause="NaN compared as if it were a number, or a default in place of a missing value",
                fix="find nothing where there is nothing to read",
            )


@check("diagnosis")
def handles_short_histories(candidate: Candidate) -> None:
    """On the first rows of a run, which is what it sees when a trial is young or short, it does not raise."""
    diagnosis = candidate.build()
    for where, history in histories(candidate):
        for rows in (1, 2, 3, 6):
            young = replace(history, columns={k: v[:rows] for k, v in history.columns.items()}, nonfinite=None)
            try:
                list(diagnosis.diagnose(young))
            except Exception as error:
                raise ContractError(
                    f"raises {type(error).__name__} on the first {rows} rows of {where}: {error}",
                    cause="a window longer than the history",
                    fix="find nothing until there are enough rows",
                ) from error


@check("diagnosis")
def diagnoses_alike_twice(candidate: Candidate) -> None:
    """The same history gives the same findings, whatever it was shown in between."""
    diagnosis = candidate.build()
    _, history = failing_history(candidate)
    first = repr(list(diagnosis.diagnose(history)))
    for name in HEALTHY:
        list(diagnosis.diagnose(recording(name)))
    if repr(list(diagnosis.diagnose(history))) != first:
        raise ContractError(
            "gives other findings when it is shown a history again",
            cause="something is kept on self between calls: a run may be diagnosed several times as it goes",
            fix="compute everything from the history that is given",
        )


@check("diagnosis")
def leaves_the_history_alone(candidate: Candidate) -> None:
    """The history's columns are the same afterwards: other diagnoses read them too, and they are stored."""
    diagnosis = candidate.build()
    for where, history in histories(candidate):
        before = {name: column.copy() for name, column in history.columns.items()}
        list(diagnosis.diagnose(history))
        changed = [k for k in before if k not in history.columns or not _equal(before[k], history.columns[k])]
        if changed or len(history.columns) != len(before):
            raise ContractError(
                f"changes {where}: {', '.join(changed) or 'a column is added'}",
                cause="an operation in place, such as `column[...] = `, `+=` or `.sort()`",
                fix="work on a copy, or on what np.sort and np.where return",
            )


def _equal(a: Any, b: Any) -> bool:
    return bool(np.array_equal(a, b, equal_nan=True))


@check("diagnosis")
def probes_exist(candidate: Candidate) -> None:
    """The probes that it declares are probes that there are."""
    declared = candidate.build().probes
    if isinstance(declared, str):
        raise ContractError(
            f"probes = {declared!r} is a text, read letter by letter",
            cause="the comma is missing that makes a tuple of one",
            fix=f"write probes = ({declared!r},)",
        )
    for name in declared:
        if name not in PROBES:
            raise ContractError(
                f"declares the probe {name!r}, which there is not",
                cause="a slip, or a column that the diagnosis should measure itself",
                fix=f"{did_you_mean(name, PROBES)} What is not among them is measured in its own probe(view)",
            )


@check("diagnosis")
def observing_changes_nothing(candidate: Candidate) -> None:
    """A run that it observes ends with the same weights, to the last bit, as one that it does not."""
    reference = {"name": candidate.entry.name, **candidate.ref().options}
    for datasets in (RING, ["digits"]):
        unseen = small_trial(candidate.registry, datasets=datasets)
        seen = small_trial(candidate.registry, datasets=datasets, diagnoses=[reference])
        if candidate.registry.skip("diagnosis", candidate.ref(), seen) is None:
            break
    else:
        raise NotApplicable("it skips the small runs on points and on images that it could watch")
    alone, watched = run_trial(unseen, threads=1), run_trial(seen, threads=1)
    if alone.artifacts is None or alone.status != "done":
        raise NotApplicable(f"the run to watch ended in {alone.status}: {alone.reason}")
    if watched.artifacts is None or watched.status != "done":
        raise ContractError(
            f"a run that it watches ends in {watched.status}: {watched.reason}",
            cause="its observe, probe or diagnose raises on a live run",
            fix="observe(view) and probe(view) return a mapping of names to numbers or to tensors of one value",
        )
    other = watched.artifacts.weights
    if any(not np.array_equal(weight, other[name]) for name, weight in alone.artifacts.weights.items()):
        raise ContractError(
            "a run that it watches ends with other weights than the same run unwatched",
            cause="observe(view) or probe(view) changes what it is shown, such as a batch in place or a setting",
            fix="only read: draw from the view, and clone before changing anything",
        )


@behaviour("diagnosis")
def behaves(candidate: Candidate) -> Any:
    """Its findings on every recorded run."""
    diagnosis = candidate.build()
    return [repr(list(diagnosis.diagnose(recording(name)))) for name in (*HEALTHY, *FAILING)]
