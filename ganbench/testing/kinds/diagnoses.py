"""Checks of diagnoses, on recorded runs that are known to be healthy or to have failed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, get_args

import numpy as np

from ...contract.components import Diagnosis
from ...contract.errors import did_you_mean
from ...contract.failures import Status
from ...contract.records import Evidence, Finding, History, Horizon, Remedy, Severity
from ...observation.probes import PROBES
from ...trial import run_trial
from ..candidate import Candidate, trial_on
from ..check import BASIC, ContractError, NotApplicable, behaviour, check
from ..helpers.recordings import DATA, FAILING, HEALTHY, recording
from ..helpers.trials import RING, small_trial

YOUNG_ROWS = (1, 2, 3, 6)  # of a history whose run has just begun


def failing_history(candidate: Candidate) -> tuple[str, History]:
    """Return the run in which the diagnosis has to find a failure: its name and its history.

    Raises ContractError if the diagnosis declares none, NotApplicable if it skips the data of that run.
    """
    build, name = candidate.entry.build, candidate.entry.name
    if hasattr(build, "failing_history"):
        history = build.failing_history()
        if not isinstance(history, History):
            raise ContractError(
                f"failing_history() returns {type(history).__name__}",
                cause="only the columns are returned",
                fix="return ganbench.History(columns, steps)",
            )
        return "its own failing_history()", history
    declared = getattr(build, "loud_on", name)
    if declared not in FAILING:
        raise ContractError(
            f"it is not known which failure {name!r} looks for: there is no recorded run {declared!r}",
            cause="neither `loud_on` nor `failing_history` is declared",
            fix=f'declare loud_on = "..." with one of {", ".join(FAILING)}, or a static method failing_history() that '
            "returns a ganbench.History of a run that has failed",
        )
    if why := _why_skipped(candidate, declared):
        raise NotApplicable(f"it skips the data of the recorded run {declared!r} ({why}); declare failing_history()")
    return f"the recorded run {declared!r}", recording(declared)


def recordings(candidate: Candidate, names: Iterable[str]) -> list[tuple[str, History]]:
    """Return those recorded runs whose data the diagnosis does not skip: their names and histories."""
    return [(f"the recorded run {n!r}", recording(n)) for n in names if _why_skipped(candidate, n) is None]


def histories(candidate: Candidate) -> list[tuple[str, History]]:
    """Return every run that the diagnosis can be checked on. Raise NotApplicable if there is none."""
    found = recordings(candidate, (*HEALTHY, *FAILING))
    if hasattr(candidate.entry.build, "failing_history"):
        found.append(failing_history(candidate))
    if not found:
        raise NotApplicable("it skips the data of all recorded runs; declare failing_history()")
    return found


def _why_skipped(candidate: Candidate, run: str) -> str | None:
    dataset, spec = DATA[run]
    return candidate.why_skipped(trial_on(spec, dataset))


def failures(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity == "failure"]


@check("diagnosis", basic=True)
def findings_are_well_formed(candidate: Candidate) -> None:
    """Its findings have a name, an onset, a confidence, evidence and a remedy."""
    diagnosis: Diagnosis = candidate.build()
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
                    cause="a field of ganbench.Finding has another meaning",
                    fix=fix,
                )


def _faults(finding: Finding, name: str, history: History) -> Iterator[tuple[str, str]]:
    """Yield each fault of a finding, and how to fix it."""
    if finding.diagnosis != name:
        yield f"diagnosis = {finding.diagnosis!r}", f"give the component's name, {name!r}, which stop_on uses"
    if finding.severity not in get_args(Severity):
        yield f"severity = {finding.severity!r}", 'give "warning" or "failure"'
    if finding.horizon not in get_args(Horizon):
        yield f"horizon = {finding.horizon!r}", 'give "now" for the present state, "end" for a forecast'
    if not (_is_number(finding.confidence) and 0 <= finding.confidence <= 1):
        yield f"confidence = {finding.confidence!r}", "give a number from 0 to 1"
    if not _is_step(finding.onset_step, history):
        yield (
            f"onset_step = {finding.onset_step!r}, of {history.steps} steps",
            "give the step since which the failure has been there",
        )
    if not isinstance(finding.summary, str) or not finding.summary.strip():
        yield f"summary = {finding.summary!r}", "give a summary in words"
    if not isinstance(finding.remedy, Remedy) or not str(finding.remedy).strip():
        yield f"remedy = {finding.remedy!r}", "give ganbench.Remedy(settings, advice), with one of them at least"
    # A run may become non-finite before its first row, and a fault of the program has no signal.
    if not finding.evidence and history.nonfinite is None and not history.wiring:
        yield "there is no evidence", "give the signals that were used, with values and thresholds"
    for signal, read in finding.evidence.items():
        if not isinstance(read, Evidence) or not all(_is_number(v) or v is None for v in (read.value, read.threshold)):
            yield (
                f"evidence {signal!r} is {read!r}",
                "give ganbench.Evidence(value, threshold, step) with plain numbers",
            )
        elif not _is_step(read.step, history):
            yield f"evidence {signal!r} was read at step {read.step!r}", "give the step of the row that was read"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _is_step(value: Any, history: History) -> bool:
    return _is_number(value) and math.isfinite(value) and value == int(value) and 0 <= value <= history.steps


@check("diagnosis")
def names_a_failed_run(candidate: Candidate) -> None:
    """It declares a run in which it has to find a failure: `loud_on` or `failing_history`."""
    failing_history(candidate)


@check("diagnosis")
def is_silent_on_healthy_runs(candidate: Candidate) -> None:
    """It finds no failure in a healthy run."""
    diagnosis: Diagnosis = candidate.build()
    healthy = recordings(candidate, HEALTHY)
    if not healthy:
        raise NotApplicable("it skips the data of all healthy runs that are recorded")
    for where, history in healthy:
        for finding in failures(diagnosis.diagnose(history)):
            raise ContractError(
                f"finds a failure in {where}, which is healthy: {finding.summary}",
                cause="a threshold that healthy runs cross too, or a single observation taken for a state",
                fix="require a signal that healthy runs do not show, over several observations up to the end",
            )


@check("diagnosis", needs=(BASIC, "names-a-failed-run"))
def is_loud_on_a_failed_run(candidate: Candidate) -> None:
    """It finds a failure in the run that it declares."""
    where, history = failing_history(candidate)
    diagnosis: Diagnosis = candidate.build()
    found = list(diagnosis.diagnose(history))
    if not failures(found):
        result = f"only warns ({found[0].summary})" if found else "finds nothing"
        raise ContractError(
            f"{result} in {where}",
            cause="a threshold too strict, or another column name; there are: " + ", ".join(sorted(history.columns)),
            fix='yield a Finding of severity "failure", or declare another run as `loud_on`',
        )


@check("diagnosis", needs=(BASIC, "names-a-failed-run"))
def handles_missing_signals(candidate: Candidate) -> None:
    """Without rows, columns or measured values it neither raises nor finds a failure."""
    diagnosis: Diagnosis = candidate.build()
    whole = replace(failing_history(candidate)[1], nonfinite=None, wiring=())
    steps = whole.columns.get("step", np.arange(1, 11))
    empty = {
        "a history without rows": replace(whole, columns={k: v[:0] for k, v in whole.columns.items()}),
        "a history without columns": replace(whole, columns={}),
        "a history of steps alone": replace(whole, columns={"step": steps}),
        "a history where nothing was measured": replace(
            whole, columns={k: v if k == "step" else np.full(len(v), math.nan) for k, v in whole.columns.items()}
        ),
    }
    for what, history in empty.items():
        try:
            found = failures(list(diagnosis.diagnose(history)))
        except Exception as error:
            raise ContractError(
                f"raises {type(error).__name__} for {what}: {error}",
                cause="a column or its last row is used without testing that it exists",
                fix="find nothing if a column is missing or has no finite value",
            ) from error
        if found:
            raise ContractError(
                f"finds a failure in {what}: {found[0].summary}",
                cause="NaN compared like a number, or a default in place of a missing value",
                fix="find nothing if there are no values",
            )


@check("diagnosis")
def handles_short_histories(candidate: Candidate) -> None:
    """It does not raise on the first rows of a run, which is all there is early in a trial."""
    diagnosis: Diagnosis = candidate.build()
    for where, history in histories(candidate):
        for rows in YOUNG_ROWS:
            young = replace(history, columns={k: v[:rows] for k, v in history.columns.items()}, nonfinite=None)
            try:
                list(diagnosis.diagnose(young))
            except Exception as error:
                raise ContractError(
                    f"raises {type(error).__name__} on the first {rows} rows of {where}: {error}",
                    cause="a window longer than the history",
                    fix="find nothing before there are enough rows",
                ) from error


@check("diagnosis", needs=(BASIC, "names-a-failed-run"))
def diagnoses_alike_twice(candidate: Candidate) -> None:
    """The same history gives the same findings again, after other histories."""
    diagnosis: Diagnosis = candidate.build()
    _, history = failing_history(candidate)
    first = repr(list(diagnosis.diagnose(history)))
    for _, other in recordings(candidate, HEALTHY):
        list(diagnosis.diagnose(other))
    if repr(list(diagnosis.diagnose(history))) != first:
        raise ContractError(
            "gives other findings for the same history the second time",
            cause="state kept on self between calls: a run is diagnosed several times",
            fix="compute the findings from the given history alone",
        )


@check("diagnosis")
def leaves_the_history_alone(candidate: Candidate) -> None:
    """It does not change the history, which other diagnoses read and which is stored."""
    diagnosis: Diagnosis = candidate.build()
    for where, history in histories(candidate):
        before = {name: column.copy() for name, column in history.columns.items()}
        list(diagnosis.diagnose(history))
        changed = [k for k in before if k not in history.columns or not _equal(before[k], history.columns[k])]
        if changed or len(history.columns) != len(before):
            raise ContractError(
                f"changes {where}: {', '.join(changed) or 'a column is added'}",
                cause="an in-place operation, such as `column[...] = `, `+=` or `.sort()`",
                fix="work on a copy, or on what np.sort and np.where return",
            )


def _equal(a: Any, b: Any) -> bool:
    return bool(np.array_equal(a, b, equal_nan=True))


@check("diagnosis")
def probes_exist(candidate: Candidate) -> None:
    """The probes that it declares exist."""
    diagnosis: Diagnosis = candidate.build()
    declared = diagnosis.probes
    if isinstance(declared, str):
        raise ContractError(
            f"probes = {declared!r} is a text, not a sequence of names",
            cause="the comma of a tuple of one is missing",
            fix=f"write probes = ({declared!r},)",
        )
    for name in declared:
        if name not in PROBES:
            raise ContractError(
                f"declares an unknown probe {name!r}",
                cause="a misspelt name, or a signal that the diagnosis should measure itself",
                fix=f"{did_you_mean(name, PROBES)} Measure anything else in a method probe(view)",
            )


@check("diagnosis", needs=(BASIC, "probes-exist"))
def observing_changes_nothing(candidate: Candidate) -> None:
    """A run that it observes ends with the same weights, bit for bit, as one that it does not observe."""
    reference = {"name": candidate.entry.name, **candidate.ref().options}
    for datasets in (RING, ["digits"]):
        plain = small_trial(candidate.registry, datasets=datasets)
        observed = small_trial(candidate.registry, datasets=datasets, diagnoses=[reference])
        if candidate.why_skipped(observed) is None:
            break
    else:
        raise NotApplicable("it skips the small trials on points and on images of this check")
    expected, result = run_trial(plain, threads=1), run_trial(observed, threads=1)
    if expected.artifacts is None or expected.status is not Status.DONE:
        raise NotApplicable(f"the trial without it ended in {expected.status}: {expected.reason}")
    if result.artifacts is None or result.status is not Status.DONE:
        raise ContractError(
            f"a trial that it observes ends in {result.status}: {result.reason}",
            cause="its observe, probe or diagnose raises during a trial",
            fix="return a mapping of names to numbers or scalar tensors from observe(view) and probe(view)",
        )
    weights = result.artifacts.weights
    if any(not np.array_equal(weight, weights[name]) for name, weight in expected.artifacts.weights.items()):
        raise ContractError(
            "a trial that it observes ends with other weights than the same trial without it",
            cause="observe(view) or probe(view) changes a batch in place, a network or a setting",
            fix="only read from the view, and clone tensors before changing them",
        )


@behaviour("diagnosis")
def behaves(candidate: Candidate) -> Any:
    """Return its findings on every run that it is checked on."""
    diagnosis: Diagnosis = candidate.build()
    return [repr(list(diagnosis.diagnose(history))) for _, history in histories(candidate)]
