"""A stored trial diagnosed again: diagnoses may have learned since."""

from __future__ import annotations

from ..catalog import Catalog
from ..records import Finding, TrialResult
from ..store import Store, read_history
from . import diagnose


def diagnosed_again(store: Store, result: TrialResult, catalog: Catalog) -> tuple[Finding, ...]:
    """What the trial's diagnoses find in its history today; nothing where it ended before there was one.

    Raises Unreadable for a history that is damaged; whatever a diagnosis raises passes through.
    """
    trial = result.trial
    if not store.has_history(trial.id):
        return ()
    made = {ref.name: catalog.build("diagnosis", ref) for ref in trial.diagnoses}
    return diagnose(made, read_history(store.trials / trial.id))
