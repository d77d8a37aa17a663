"""Decide which stored results can be reused and which trials must be rerun."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set

from ..contract.errors import RequestError
from ..contract.records import Trial, TrialResult
from ..registry.registry import Registry
from ..suite.trial_id import decides_result
from .store import Store
from .trial_files import NewerTrial, UnreadableTrial

KINDS_SINCE = {"optimizer", "update"}  # kinds whose origins older results do not state: they were part of ganbench


def reusable_results(chosen: Sequence[Trial], store: Store, registry: Registry) -> tuple[list[TrialResult], list[str]]:
    """Return the stored results of `chosen` that can be reused, and a note for each one that must be rerun.

    A trial is rerun if its result cannot be read, ended in a fault, or came from other versions of the components that
    decide it. Diagnoses do not, unless they may stop the trial: a result without the findings of one that has been
    added since is reused, and a note says so.

    Raises:
        RequestError: A trial was stored by a newer ganbench, and a rerun would replace it.
    """
    reused, notes = [], []
    for trial in chosen:
        if not store.has(trial.id):
            continue
        try:
            result = store.read(trial.id)
        except NewerTrial as error:
            raise RequestError(f"{error}, or give another --output: a run would replace it") from None
        except UnreadableTrial as error:
            notes.append(f"{trial.id} is rerun: it cannot be read ({error})")
            continue
        if result.status.is_fault:
            notes.append(f"{trial.id} is rerun: it ended in {result.status}")
        elif changes := _describe_changes(result.origins, registry.origins(trial), trial):
            notes.append(f"{trial.id} is rerun: {changes}")
        else:
            reused.append(result)
    return reused, [*notes, *_note_missing_diagnoses(reused, chosen)]


def list_trials_on(datasets: Set[str], store: Store) -> list[str]:
    """Return the ids of the trials on these data sets that the folder's last run lists."""
    if not datasets or not store.has_run:
        return []
    results, _ = store.results()
    return [result.trial.id for result in results if result.trial.dataset in datasets]


def _describe_changes(old: Mapping[str, str], new: Mapping[str, str], trial: Trial) -> str:
    """Say which components that decide the result have another origin now; empty if none has, or none is known."""
    old, new = (
        {part: origin for part, origin in origins.items() if decides_result(trial, part)} for origins in (old, new)
    )
    recorded = {part.partition(" ")[0] for part in old}
    new = {p: o for p, o in new.items() if p.partition(" ")[0] in recorded or p.partition(" ")[0] not in KINDS_SINCE}
    if not old or old == new:
        return ""
    changes = [f"{part} came from {old.get(part)}, now {new[part]}" for part in new if old.get(part) != new[part]]
    return "; ".join(changes) or "its components have changed"


def _note_missing_diagnoses(reused: Sequence[TrialResult], chosen: Sequence[Trial]) -> list[str]:
    """Return a note for each diagnosis that reused results have no findings of."""
    wanted = {trial.id: {ref.name for ref in trial.diagnoses} for trial in chosen}
    missing = Counter(
        name for result in reused for name in wanted[result.trial.id] - {ref.name for ref in result.trial.diagnoses}
    )
    return [
        f"{n} stored results have no findings of {name!r}, which was added later; --fresh reruns them"
        for name, n in sorted(missing.items())
    ]
