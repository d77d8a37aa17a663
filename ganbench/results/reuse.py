"""What a folder's earlier run leaves to a new one: results that stand, and those that have to be made again."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from ..contract.records import Trial, TrialResult
from ..registry.registry import Registry
from .store import Store
from .trial_files import Unreadable


def reusable_results(chosen: Sequence[Trial], store: Store, registry: Registry) -> tuple[list[TrialResult], list[str]]:
    """The stored results that stand, and a note for each one that has to be made again."""
    kept, notes = [], []
    for trial in chosen:
        if not store.has(trial.id):
            continue
        try:
            result = store.read(trial.id)
        except Unreadable as error:
            notes.append(f"{trial.id} is made again: it cannot be read ({error})")
            continue
        if result.status.is_fault:
            notes.append(f"{trial.id} is tried again: it ended in {result.status}")
        elif result.origins and dict(result.origins) != dict(registry.origins(trial)):
            notes.append(f"{trial.id} is made again: {_difference(result.origins, registry.origins(trial))}")
        else:
            kept.append(result)
    return kept, notes


def _difference(old: Any, new: Any) -> str:
    changed = [
        f"{part} was made by {old.get(part)}, now {origin}" for part, origin in new.items() if old.get(part) != origin
    ]
    return "; ".join(changed) or "its components have changed"


def stored_trials_of(datasets: Set[str], store: Store) -> list[str]:
    """The trials of these data sets that the folder's last run lists: they stay listed."""
    if not datasets or not store.begun:
        return []
    results, _ = store.results()
    return [result.trial.id for result in results if result.trial.dataset in datasets]
