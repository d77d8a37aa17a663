"""Checks a request and expands it into the trials to be run. Nothing is written."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mode

from ...contract.components import Executor
from ...contract.errors import RequestError
from ...contract.records import ComponentRef
from ...diagnosis.diagnose import diagnose_stored, missing_plugin_hint
from ...pipeline import resolve_device
from ...registry.plugins import local_files
from ...registry.registry import Registry, load_registry, refs_of
from ...results.store import Store
from ...suite.expand import select_trials
from .cases import Case, Cases, cases_of
from .controls import Treatment, arms_of_failed, arms_of_healthy


@dataclass(frozen=True)
class TreatRequest:
    """What a user asks of `ganbench treat`: `limit` failed and `healthy` healthy trials at most, all where None."""

    folder: Path
    output: Path | None = None
    only: Sequence[str] = ()
    limit: int | None = None
    healthy: int | None = None
    verify: int = 3  # failed trials that are rerun unchanged
    executor: str = "processes"
    workers: int | None = None


@dataclass(frozen=True)
class TreatPlan:
    """What can be tried on the trials of a run, and which of them this command is about."""

    source: Store
    store: Store
    suite: str  # of the treated trials
    cases: Cases
    treatments: Sequence[Treatment]
    chosen: frozenset[str]  # ids of the run's trials
    verify: int
    registry: Registry
    executor: Executor


def prepare_treatment(request: TreatRequest) -> TreatPlan:
    """Check a request and expand it into treatments. Raises RequestError for whatever is wrong with it."""
    source = Store(request.folder)
    suite = f"{source.facts().get('suite', 'run')}-treated"
    store = Store(request.output or request.folder / "treat")
    if store.folder.resolve() == source.folder.resolve():
        raise RequestError(f"--output {store.folder} is the run itself; give a folder of its own")
    store.check(suite)
    files = local_files(Path.cwd())  # never what a stored trial names: that would run its code
    registry = load_registry(files)
    cases = _without_missing_plugins(cases_of(source), registry, source)
    chosen = _chosen(cases, request)
    for case in [*cases.failed, *cases.healthy]:
        if case.trial.id in chosen:
            _check(case, registry, source)
    executor = _executor(request, registry, mode(case.result.threads for case in cases.failed))
    failed, healthy = (
        [
            _in_suite(_diagnose_again(case, source, registry), suite, files)
            for case in part
            if _missing(case, registry) is None
        ]
        for part in (cases.failed, cases.healthy)
    )
    treatments = [treatment for case in failed for treatment in arms_of_failed(case, registry)]
    treatments += arms_of_healthy(healthy, treatments, registry)
    return TreatPlan(source, store, suite, cases, treatments, chosen, request.verify, registry, executor)


def _diagnose_again(case: Case, source: Store, registry: Registry) -> Case:
    """The case with the findings that its diagnoses make now; with the stored ones if they cannot."""
    try:
        findings, missing = diagnose_stored(source, case.result, registry)
    except Exception:  # a history damaged or gone, or a diagnosis of somebody's that fails on it
        return case
    if missing:
        return case
    return replace(case, result=replace(case.result, findings=findings))


def shuffle(cases: Sequence[Case]) -> list[Case]:
    """Return the cases in an order independent of the suite's: the first few are a sample, and more a larger one."""
    return sorted(cases, key=lambda case: hashlib.sha256(case.trial.id.encode()).digest())


def _chosen(cases: Cases, request: TreatRequest) -> frozenset[str]:
    matching = {t.id for t in select_trials([case.trial for case in (*cases.failed, *cases.healthy)], request.only)}
    failed, healthy = ([case for case in part if case.trial.id in matching] for part in (cases.failed, cases.healthy))
    if not failed:
        raise RequestError(f"--only {' '.join(request.only)}: none of the {len(healthy)} trials that match failed")
    sampled = shuffle(failed)[: request.limit] + shuffle(healthy)[: request.healthy]
    return frozenset(case.trial.id for case in sampled)


def _without_missing_plugins(cases: Cases, registry: Registry, source: Store) -> Cases:
    """The cases without those that need a plugin file which is not loaded here, each with a note.

    Raises RequestError if no failed one is left.
    """
    away = {
        case.trial.id: f"{why}{where}"
        for case in (*cases.failed, *cases.healthy)
        if (where := missing_plugin_hint(case.trial, registry)) and (why := _missing(case, registry))
    }
    failed, healthy = ([case for case in part if case.trial.id not in away] for part in (cases.failed, cases.healthy))
    if not failed:
        first = next(away[case.trial.id] for case in cases.failed)
        raise RequestError(f"{source.folder}: nothing to treat: {first}")
    return Cases(failed, healthy, [*cases.notes, *(f"left out: {note}" for note in away.values())])


def _check(case: Case, registry: Registry, source: Store) -> None:
    """Raise RequestError if a trial cannot be rerun here."""
    if why := _missing(case, registry):
        raise RequestError(why)
    device = case.trial.device
    try:
        resolve_device(device)
    except RequestError:
        raise RequestError(f"{source.folder} was made on {device}, and this machine has no such device") from None


def _missing(case: Case, registry: Registry) -> str | None:
    """A line on a missing component of a trial; None if all are there."""
    try:
        for kind, refs in refs_of(case.trial).items():
            for ref in refs:
                origin = case.result.origins.get(f"{kind} {ref.name}")
                made = f", made with {origin}," if origin else ""
                registry.check(kind, ref, f"trial {case.trial.id}{made} cannot be rerun")
    except RequestError as error:
        return str(error)
    return None


def _in_suite(case: Case, suite: str, files: tuple[str, ...]) -> Case:
    """The case with its trial as part of another suite."""
    return replace(case, result=replace(case.result, trial=replace(case.trial, suite=suite, plugin_files=files)))


def _executor(request: TreatRequest, registry: Registry, threads: int) -> Executor:
    """The executor, with as many threads per trial as the run had: results depend on that in their last bits."""
    name = request.executor
    options = {"workers": request.workers} if request.workers is not None else {}
    if "threads" in registry.find("executor", name, "--executor").options and threads:
        options["threads"] = threads
    return registry.build("executor", registry.check("executor", ComponentRef(name, options), "--executor"))
