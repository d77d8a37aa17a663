"""What is tried on which trial: a failed one gets three arms, a healthy one a remedy that it did not need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ..catalog import Catalog
from ..errors import RequestError
from ..records import Finding, Trial
from .cases import Case
from .remedies import recommended, treated, unchanged
from .tips import drawn, tips

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
    remedy: str = ""
    trial: Trial | None = None
    note: str = ""


def of_failed(case: Case, catalog: Catalog) -> list[Treatment]:
    """The arms of a failed trial: what was recommended, another remedy drawn from the tips, and no remedy."""
    first = _recommended(case, catalog)
    tip = drawn(case.trial, tips(), catalog, other_than=first.trial)
    remedy, trial = tip or ("", None)
    return [
        first,
        Treatment(case, "random", first.diagnosis, remedy, trial, "" if tip else "no tip serves this trial"),
        Treatment(case, "unchanged", first.diagnosis, "", unchanged(case.trial, catalog)),
    ]


def of_healthy(cases: Sequence[Case], tried: Sequence[Treatment], catalog: Catalog) -> Iterator[Treatment]:
    """A remedy for each healthy trial: its own false finding's, else one drawn from those recommended to failed ones."""
    offered = [(t.remedy, t.diagnosis) for t in tried if t.arm == "recommended" and t.trial]
    for case in cases:
        own = _recommended(case, catalog, arm="healthy")
        if own.trial:
            yield own
        elif pick := drawn(case.trial, [remedy for remedy, _ in offered], catalog):
            remedy, trial = pick
            note = f"{own.note}; remedy of a failed trial"
            yield Treatment(case, "healthy", dict(offered)[remedy], remedy, trial, note)


def _recommended(case: Case, catalog: Catalog, arm: Arm = "recommended") -> Treatment:
    """The remedy of the surest finding that has one to try; where none has, why the surest's is none."""
    treatments = [_remedied(case, finding, catalog, arm) for finding in recommended(case.result.findings)]
    if not treatments:
        return Treatment(case, arm, NO_FINDING, note=NO_FINDING)
    return next((treatment for treatment in treatments if treatment.trial), treatments[0])


def _remedied(case: Case, finding: Finding, catalog: Catalog, arm: Arm) -> Treatment:
    try:
        trial = treated(case.trial, finding.remedy, catalog)
    except RequestError as error:
        return Treatment(case, arm, finding.diagnosis, finding.remedy, note=str(error))
    return Treatment(case, arm, finding.diagnosis, finding.remedy, trial)
