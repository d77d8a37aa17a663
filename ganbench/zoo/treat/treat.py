"""The plan carried out in two stages: a few trials made again unchanged, then the remedies."""

from __future__ import annotations

from collections.abc import Sequence

from ...contract.errors import RequestError
from ...contract.records import Trial
from ...pipeline import Prepared
from ...results.reuse import reusable_results
from ...results.trial_files import UnreadableTrial
from ...suite.parse import Suite
from .cases import Case
from .plan import TreatPlan, in_a_drawn_order
from .reproducibility import changes, difference, has_history

SUMMARY = "Remedies tried on the failed trials of a run."


def reproduce(plan: TreatPlan) -> Prepared:
    """The first stage: a sample of the failed trials, to be made again as they were."""
    return _prepared(plan, [trial for _, trial in _sample(plan)])


def differences(plan: TreatPlan) -> list[str]:
    """What of the sample did not come out as it was stored, a line for each; empty where results repeat."""
    lines = []
    for case, trial in _sample(plan):
        try:
            parted = difference(plan.source, case.result, plan.store, plan.store.read(trial.id))
        except UnreadableTrial as error:
            parted = str(error)
        if parted:
            lines.append(f"{case.trial.id}: {parted}")
    return lines


def environment_diff(plan: TreatPlan) -> str:
    """What has changed since the run was made, as the end of a line."""
    try:
        return changes(plan.source.environment(), plan.store.environment())
    except RequestError as error:
        return str(error)


def treat(plan: TreatPlan, repeats: bool) -> Prepared:
    """The second stage: every remedy for the trials chosen and, where stored results do not repeat, none for them too."""
    tried = [t for t in plan.treatments if t.case.trial.id in plan.chosen and (t.arm != "unchanged" or not repeats)]
    return _prepared(plan, [t.trial for t in tried if t.trial])


def _sample(plan: TreatPlan) -> list[tuple[Case, Trial]]:
    """Failed trials that have a history to compare with, and what makes them again; drawn by their ids."""
    arms = {t.case.trial.id: t.trial for t in plan.treatments if t.arm == "unchanged" and t.trial}
    drawn: list[tuple[Case, Trial]] = []
    for case in in_a_drawn_order([case for case in plan.cases.failed if case.trial.id in plan.chosen]):
        if len(drawn) < plan.verify and has_history(plan.source, case.result):
            drawn.append((case, arms[case.trial.id]))
    return drawn


def _prepared(plan: TreatPlan, wanted: Sequence[Trial]) -> Prepared:
    """The trials wanted as a run of all that may ever be; results that stand are kept."""
    everything = [t.trial for t in plan.treatments if t.trial]
    kept, notes = reusable_results(wanted, plan.store, plan.registry)
    standing = {result.trial.id for result in kept}
    suite = Suite(
        name=plan.suite,
        summary=SUMMARY,
        seeds=(),
        datasets={},
        methods={},
        training={},
        at=(),
        samples=0,
        metrics=(),
        diagnoses=(),
        reports=(),
        executor=None,
        source=str(plan.source.folder),
    )
    todo = [trial for trial in wanted if trial.id not in standing]
    return Prepared(suite, plan.registry, everything, todo, kept, notes, plan.executor, (), plan.store)
