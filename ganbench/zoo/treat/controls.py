"""Folk remedies, one of them drawn for a trial: what a recommendation has to do better than.

What is tried on which trial: a failed one gets three arms, a healthy one a remedy that it did not need.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Literal

from ...contract.errors import RequestError
from ...contract.records import Finding, Remedy, Trial
from ...registry.registry import Registry
from .cases import Case
from .remedies import recommended, settings_of, treated, unchanged


@cache
def load_controls() -> tuple[Remedy, ...]:
    """The remedies of controls.toml, which says where each comes from."""
    text = files(__package__).joinpath("controls.toml").read_text(encoding="utf-8")
    return tuple(Remedy.parse(tip["remedy"]) for tip in tomllib.loads(text)["tips"])


def assign(
    trial: Trial, remedies: Sequence[Remedy], registry: Registry, other_than: Trial | None = None
) -> tuple[Remedy, Trial] | None:
    """One of `remedies`, drawn by the trial's id, the same one every time; and the trial that tries it.

    One that does not serve the trial, changes nothing of it or makes it the trial `other_than` is drawn again. None
    where no other is left.
    """
    avoided = settings_of(other_than) if other_than else None
    shuffled = random.Random(trial.id).sample(remedies, len(remedies))
    for remedy in {str(remedy): remedy for remedy in shuffled}.values():
        try:
            made = treated(trial, remedy, registry)
        except RequestError:
            continue
        if settings_of(made) != avoided:
            return remedy, made
    return None


Arm = Literal["recommended", "random", "unchanged", "healthy"]
NO_FINDING = "no finding"


@dataclass(frozen=True)
class Treatment:
    """One arm of a case. `trial` tries the remedy; where there is none to try, `note` says why.

    `diagnosis` is the finding that the case is counted under: the one that recommends, or "no finding".
    """

    case: Case
    arm: Arm
    diagnosis: str
    remedy: Remedy = field(default_factory=Remedy)
    trial: Trial | None = None
    note: str = ""


def arms_of_failed(case: Case, registry: Registry) -> list[Treatment]:
    """The arms of a failed trial: what was recommended, another remedy drawn from the tips, and no remedy."""
    first = _recommended(case, registry)
    tip = assign(case.trial, load_controls(), registry, other_than=first.trial)
    remedy, trial = tip or (Remedy(), None)
    return [
        first,
        Treatment(case, "random", first.diagnosis, remedy, trial, "" if tip else "no tip serves this trial"),
        Treatment(case, "unchanged", first.diagnosis, Remedy(), unchanged(case.trial, registry)),
    ]


def arms_of_healthy(cases: Sequence[Case], tried: Sequence[Treatment], registry: Registry) -> Iterator[Treatment]:
    """A remedy for each healthy trial: its own false finding's, else one drawn from those recommended to failed ones."""
    offered = [t for t in tried if t.arm == "recommended" and t.trial]
    for case in cases:
        own = _recommended(case, registry, arm="healthy")
        if own.trial:
            yield own
        elif pick := assign(case.trial, [t.remedy for t in offered], registry):
            remedy, trial = pick
            note = f"{own.note}; remedy of a failed trial"
            diagnosis = {str(t.remedy): t.diagnosis for t in offered}[str(remedy)]
            yield Treatment(case, "healthy", diagnosis, remedy, trial, note)


def _recommended(case: Case, registry: Registry, arm: Arm = "recommended") -> Treatment:
    """The remedy of the surest finding that has one to try; where none has, why the surest's is none."""
    treatments = [_remedied(case, finding, registry, arm) for finding in recommended(case.result.findings)]
    if not treatments:
        return Treatment(case, arm, NO_FINDING, note=NO_FINDING)
    return next((treatment for treatment in treatments if treatment.trial), treatments[0])


def _remedied(case: Case, finding: Finding, registry: Registry, arm: Arm) -> Treatment:
    try:
        trial = treated(case.trial, finding.remedy, registry)
    except RequestError as error:
        return Treatment(case, arm, finding.diagnosis, finding.remedy, note=str(error))
    return Treatment(case, arm, finding.diagnosis, finding.remedy, trial)
