"""A stored trial diagnosed again: diagnoses may have learned since."""

from __future__ import annotations

from ..catalog import Catalog
from ..errors import RequestError
from ..records import Finding, Trial, TrialResult
from ..store import Store, read_history
from . import diagnose


def diagnosed_again(store: Store, result: TrialResult, catalog: Catalog) -> tuple[tuple[Finding, ...], list[str]]:
    """What the trial's diagnoses find in its history today, and a line for each diagnosis that is not here.

    Raises Unreadable for a history that is damaged or gone; whatever a diagnosis raises passes through.
    """
    trial = result.trial
    history = read_history(store.trials / trial.id)
    made, missing = {}, []
    for ref in trial.diagnoses:
        try:
            made[ref.name] = catalog.build("diagnosis", ref)
        except RequestError as error:
            missing.append(f"trial {trial.id}: {error}{file_to_bring(trial, catalog)}")
    return diagnose(made, history), missing


def file_to_bring(trial: Trial, catalog: Catalog) -> str:
    """The end of a line on what a stored trial lacks: its plugin file, where that is not loaded; else empty.

    What a stored trial names is never loaded on its word: a folder of results may come from anyone.
    """
    away = [file for file in trial.plugin_files if file not in catalog.plugins.files]
    if not away:
        return ""
    return f"; it was made with plugin file {away[0]!r}, which is not loaded here: run this in its folder"
