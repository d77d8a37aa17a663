"""Diagnoses whatever a path holds: a stored run, again, or what another program logged. `ganbench.diagnose`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..contract.components import Diagnosis
from ..contract.errors import RequestError
from ..contract.records import ComponentRef, Finding, History, Trial, TrialResult
from ..registry.plugins import local_files
from ..registry.registry import Registry, load_registry
from ..results.store import Store
from ..results.trial_files import UnreadableTrial, read_history
from .distance import judge_distance
from .findings import apply_diagnoses
from .remedies import fit_remedies


@dataclass(frozen=True)
class TrialFinding(Finding):
    """A finding and the trial that it is of; attributes as the columns of findings.csv. A log may not say the rest.

    Attributes:
        trial: The id of a trial, or the name of a log.
        suite, dataset, method, seed: Where the trial comes from; empty, and None, where it is not known.
    """

    trial: str = ""
    suite: str = ""
    dataset: str = ""
    method: str = ""
    seed: int | None = None


class Findings(list[TrialFinding]):
    """The findings of a path.

    Attributes:
        n_trials: How many trials or logs were diagnosed.
        notes: A line for each thing that was left out, and why.
    """

    def __init__(self, findings: Iterable[TrialFinding] = (), n_trials: int = 0, notes: Sequence[str] = ()) -> None:
        super().__init__(findings)
        self.n_trials = n_trials
        self.notes = list(dict.fromkeys(notes))


def diagnose(path: str | Path, patterns: Sequence[str] = ()) -> Findings:
    """Return what the installed diagnoses find in a stored run or in a log; nothing is trained and nothing written.

    Args:
        path: A folder of `ganbench run`; a CSV of losses or other signals; TensorBoard event files; a file of one JSON
            object a line; a `history.parquet`; what a training program printed; or a folder of these.
        patterns: Regular expressions for the lines of a text of an unknown program; named groups are its columns.

    Raises:
        RequestError: There is nothing to diagnose.

    Example:
        >>> for finding in ganbench.diagnose("results/basic"):
        ...     print(finding.trial, finding.diagnosis, finding.onset_step, finding.remedy)
    """
    path = Path(path)
    found = _diagnose_run(Store(path)) if _is_run(path) else _diagnose_logs(path, patterns)
    if not found.n_trials:
        raise RequestError("; ".join([f"{path}: none of its trials can be diagnosed", *found.notes[:1]]))
    return found


def diagnose_stored(store: Store, result: TrialResult, registry: Registry) -> tuple[tuple[Finding, ...], list[str]]:
    """Return what a stored trial's diagnoses find in its history now, and a line for each that is not installed.

    Those that the trial itself left out, as they say nothing of its networks, are left out again.

    Raises UnreadableTrial if the history is damaged or missing; whatever a diagnosis raises passes through.
    """
    trial = result.trial
    history = read_history(store.folder_of(trial.id))
    built, missing = {}, []
    for ref in trial.diagnoses:
        if ref.name in result.left_out:
            continue
        try:
            built[ref.name] = registry.build("diagnosis", ref)
        except RequestError as error:
            missing.append(f"trial {trial.id}: {error}{missing_plugin_hint(trial, registry)}")
    findings = fit_remedies(apply_diagnoses(built, history), trial, registry)
    return (*findings, *(judge_distance(findings, history, result.scores) if built else ())), missing


def missing_plugin_hint(trial: Trial, registry: Registry) -> str:
    """Return the end of a line on a missing component: the trial's plugin file, if that is not loaded; else empty.

    A plugin file that a stored trial names is never loaded: a results folder may come from anyone.
    """
    away = [file for file in trial.plugin_files if file not in registry.plugins.files]
    if not away:
        return ""
    return f"; it was made with plugin file {away[0]!r}, which is not loaded here: run this in its folder"


def _is_run(path: Path) -> bool:
    try:
        return (path / "suite.json").is_file()
    except OSError:  # it may not be looked into: reading it says so
        return False


def _diagnose_run(store: Store) -> Findings:
    results, damaged = store.results()
    if not results:
        more = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
        why = f"left out: {damaged[0]}{more}" if damaged else "none is finished; `ganbench run` again goes on with it"
        raise RequestError(f"{store.folder} holds a run without any trial to diagnose: {why}")
    registry = load_registry(local_files(Path.cwd()))  # never what a stored trial names: that would run its code
    found, n, notes = [], 0, [f"left out: {note}" for note in damaged]
    for result in results:
        trial = result.trial
        ended = result.status.finished or result.status == "diverged"
        if not ended:
            notes.append(f"trial {trial.id} ended in {result.status}")
            if not store.has_history(trial.id):
                continue
        try:
            findings, missing = diagnose_stored(store, result, registry)
        except UnreadableTrial as error:
            if ended:  # of the others nothing may have been observed: how they ended is said
                notes.append(f"left out: {error}")
        except Exception as error:  # one trial's diagnosis costs no other
            notes.append(f"left out: {trial.id}: {type(error).__name__}: {error}")
        else:
            n += 1
            notes += missing
            found += [_located(finding, trial.id, _origin_of(trial)) for finding in findings]
    return Findings(found, n, notes)


def _diagnose_logs(path: Path, patterns: Sequence[str]) -> Findings:
    from ..logs.formats.patterns import compile_patterns
    from ..logs.history import to_history
    from ..logs.log import describe_log
    from ..logs.read import read_logs
    from ..logs.rules import apply_rules, rank_findings

    logs = read_logs(path, compile_patterns(tuple(patterns)))
    notes = [f"left out: {note}" for note in logs.skipped]
    diagnoses = _all_diagnoses(notes)
    found = []
    for recording in logs.histories:
        origin = _origin_of(recording.trial) if recording.trial else {}
        findings = apply_diagnoses(diagnoses, recording.history)
        found += [_located(finding, recording.name, origin) for finding in findings]
    for log in logs.logs:
        notes += [f"{log.name}: {note}" for note in (describe_log(log), *log.notes)]
        ranked = rank_findings([*apply_diagnoses(diagnoses, to_history(log)), *apply_rules(log)])
        found += [_located(finding, log.name, log.labels) for finding in ranked]
    return Findings(found, len(logs.histories) + len(logs.logs), notes)


def _all_diagnoses(notes: list[str]) -> dict[str, Diagnosis]:
    """Every installed diagnosis that can be built with its defaults; `notes` takes what fails, now or on a log."""
    registry = load_registry(local_files(Path.cwd()))
    built: dict[str, Diagnosis] = {}
    for entry in registry.entries("diagnosis"):
        try:
            diagnosis = registry.build("diagnosis", ComponentRef(entry.name))
            built[entry.name] = _FaultTolerant(entry.name, diagnosis, notes)
        except (Exception, SystemExit) as error:
            notes.append(f"left out: diagnosis {entry.name!r}: {type(error).__name__}: {error}")
    return built


class _FaultTolerant(Diagnosis):
    """A diagnosis that may fail on what a log lacks, without cost to the others."""

    def __init__(self, name: str, diagnosis: Diagnosis, notes: list[str]) -> None:
        self._name = name
        self._diagnosis = diagnosis
        self._notes = notes
        self.follows = diagnosis.follows

    def diagnose(self, history: History) -> list[Finding]:
        try:
            return list(self._diagnosis.diagnose(history))
        except Exception as error:
            self._notes.append(f"left out: diagnosis {self._name!r}: {type(error).__name__}: {error}")
            return []


def _origin_of(trial: Trial) -> dict[str, Any]:
    return {"suite": trial.suite, "dataset": trial.dataset, "method": trial.method, "seed": trial.seed}


def _located(finding: Finding, trial: str, origin: Mapping[str, Any]) -> TrialFinding:
    return TrialFinding(**vars(finding), trial=trial, **origin)
