"""Diagnoses a stored trial again, with the diagnoses that are installed now."""

from __future__ import annotations

from ..contract.errors import RequestError
from ..contract.records import Finding, Trial, TrialResult
from ..registry.registry import Registry
from ..results.store import Store
from ..results.trial_files import read_history
from .findings import apply_diagnoses


def diagnose_stored(store: Store, result: TrialResult, registry: Registry) -> tuple[tuple[Finding, ...], list[str]]:
    """Return what a stored trial's diagnoses find in its history now, and a line for each that is not installed.

    Raises Unreadable if the history is damaged or missing; whatever a diagnosis raises passes through.
    """
    trial = result.trial
    history = read_history(store.folder_of(trial.id))
    built, missing = {}, []
    for ref in trial.diagnoses:
        try:
            built[ref.name] = registry.build("diagnosis", ref)
        except RequestError as error:
            missing.append(f"trial {trial.id}: {error}{missing_plugin_hint(trial, registry)}")
    return apply_diagnoses(built, history), missing


def missing_plugin_hint(trial: Trial, registry: Registry) -> str:
    """Return the end of a line on a missing component: the trial's plugin file, if that is not loaded; else empty.

    A plugin file that a stored trial names is never loaded: a results folder may come from anyone.
    """
    away = [file for file in trial.plugin_files if file not in registry.plugins.files]
    if not away:
        return ""
    return f"; it was made with plugin file {away[0]!r}, which is not loaded here: run this in its folder"
