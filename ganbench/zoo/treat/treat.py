"""Runs the plan in two stages: a few trials rerun unchanged, then the remedies."""

from __future__ import annotations

from collections.abc import Sequence

from ...contract.errors import RequestError
from ...contract.records import Trial
from ...pipeline import Prepared
from ...results.reuse import reusable_results
from ...results.trial_files import UnreadableTrial
from ...suite.parse import Suite
from .cases import Case
from .plan import TreatPlan, shuffle
from .reproducibility import changes, difference, has_history

SUMMARY = "Remedies tried on the failed trials of a run."


def reproduce(plan: TreatPlan) -> Prepared:
    """Prepare the first stage: a sample of the failed trials, rerun as they were."""
    return _prepared(plan, [trial for _, trial in _sample(plan)])


def differences(plan: TreatPlan) -> list[str]:
    """Return a line for each trial of the sample that was not reproduced; empty if stored results are reproducible."""
    lines = []
    for case, trial in _sample(plan):
        try:
            changed = difference(plan.source, case.result, plan.store, plan.store.read(trial.id))
        except UnreadableTrial as error:
            changed = str(error)
        if changed:
            lines.append(f"{case.trial.id}: {changed}")
    return lines


def environment_diff(plan: TreatPlan) -> str:
    """Return what has changed in the environment since the run, as the end of a line."""
    try:
        return changes(plan.source.environment(), plan.store.environment())
    except RequestError as error:
        return str(error)


def treat(plan: TreatPlan, reproducible: bool) -> Prepared:
    """Prepare the second stage: every remedy for the chosen trials, and no remedy too if they are not reproducible."""
    tried = [
        t for t in plan.treatments if t.case.trial.id in plan.chosen and (t.arm != "unchanged" or not reproducible)
    ]
    return _prepared(plan, [t.trial for t in tried if t.trial])


def _sample(plan: TreatPlan) -> list[tuple[Case, Trial]]:
    """Failed trials that have a history to compare with, and the trials that rerun them; drawn by their ids."""
    arms = {t.case.trial.id: t.trial for t in plan.treatments if t.arm == "unchanged" and t.trial}
    sample: list[tuple[Case, Trial]] = []
    for case in shuffle([case for case in plan.cases.failed if case.trial.id in plan.chosen]):
        if len(sample) < plan.verify and has_history(plan.source, case.result):
            sample.append((case, arms[case.trial.id]))
    return sample


def _prepared(plan: TreatPlan, wanted: Sequence[Trial]) -> Prepared:
    """The wanted trials as a run of all treatments; results that can be reused are kept."""
    everything = [t.trial for t in plan.treatments if t.trial]
    kept, notes = reusable_results(wanted, plan.store, plan.registry)
    reused = {result.trial.id for result in kept}
    suite = Suite(
        name=plan.suite,
        summary=SUMMARY,
        seeds=(),
        datasets={},
        methods={},
        training={},
        at=(),
        samples=0,
        expensive_at=(),
        metrics=(),
        diagnoses=(),
        reports=(),
        executor=None,
        source=str(plan.source.folder),
    )
    todo = [trial for trial in wanted if trial.id not in reused]
    return Prepared(suite, plan.registry, everything, todo, kept, notes, plan.executor, (), plan.store)
