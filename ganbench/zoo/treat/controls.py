"""Which remedies are tried on which trial: a failed one gets three arms, a healthy one a remedy that it does not need.

Controls are common advice, drawn at random: what a recommendation has to do better than.
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

Arm = Literal["recommended", "random", "unchanged", "healthy"]
NO_FINDING = "no finding"


@cache
def load_controls() -> tuple[Remedy, ...]:
    """Return the remedies of controls.toml, which states the source of each."""
    text = files(__package__).joinpath("controls.toml").read_text(encoding="utf-8")
    return tuple(Remedy.parse(control["remedy"]) for control in tomllib.loads(text)["controls"])


def assign(
    trial: Trial, remedies: Sequence[Remedy], registry: Registry, other_than: Trial | None = None
) -> tuple[Remedy, Trial] | None:
    """Draw one of `remedies` by the trial's id, always the same one; return it and the trial that tries it.

    A remedy that cannot serve the trial, changes nothing of it, or makes it the trial `other_than` is drawn again.
    Return None if none is left.
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


@dataclass(frozen=True)
class Treatment:
    """One arm of a case.

    Attributes:
        case: The trial that is treated.
        arm: What is tried on it.
        diagnosis: The finding that the case is counted under: the one that recommends, or "no finding".
        remedy: The remedy that is tried; empty for none.
        trial: The trial that tries it; None if there is none to try.
        note: Why there is none to try.
    """

    case: Case
    arm: Arm
    diagnosis: str
    remedy: Remedy = field(default_factory=Remedy)
    trial: Trial | None = None
    note: str = ""


def arms_of_failed(case: Case, registry: Registry) -> list[Treatment]:
    """Return the arms of a failed trial: the recommended remedy, a control drawn at random, and no remedy."""
    first = _recommended(case, registry)
    control = assign(case.trial, load_controls(), registry, other_than=first.trial)
    remedy, trial = control or (Remedy(), None)
    return [
        first,
        Treatment(case, "random", first.diagnosis, remedy, trial, "" if control else "no control serves this trial"),
        Treatment(case, "unchanged", first.diagnosis, Remedy(), unchanged(case.trial, registry)),
    ]


def arms_of_healthy(cases: Sequence[Case], tried: Sequence[Treatment], registry: Registry) -> Iterator[Treatment]:
    """Yield a remedy for each healthy trial: of its own false finding, else one recommended to a failed trial."""
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
    """The remedy of the most confident finding that has one to try; else why that of the first cannot be tried."""
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
