"""What a contract check is, the list of all of them, and the order in which they run."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..contract.hooks import HOOKS

if TYPE_CHECKING:
    from .candidate import Candidate

BASIC = "basic"  # in `needs` of a check: every basic check of the kind

# Names of checks as `expected_failures` of a component may still give them; they go with the next release.
RENAMED = {
    "acts-on-weights-in-place": "changes-weights-in-place",
    "every-part-is-of-use": "every-part-is-used",
    "judges-a-history-alike-twice": "diagnoses-alike-twice",
    "looking-changes-nothing": "observing-changes-nothing",
    "penalizes-or-acts": "has-a-penalty-or-after-step",
    "says-nothing-of-nothing": "handles-missing-signals",
    "sends-g-towards-real": "trains-g-towards-real",
    "survives-a-young-run": "handles-short-histories",
    "teaches-d-to-tell-them-apart": "trains-d-to-separate",
    "unfolds-into-trials": "expands-into-trials",
}


class ContractError(Exception):
    """A component breaks its contract: what is wrong, the likely cause, and how to fix it."""

    def __init__(self, what: str, *, cause: str, fix: str) -> None:
        super().__init__(f"{what}\n  likely cause: {cause}\n  fix: {fix}")
        self.what, self.cause, self.fix = what, cause, fix


class NotApplicable(Exception):
    """A check does not apply to a component, and why: its data is missing, or it does not offer a member."""


@dataclass(frozen=True)
class Check:
    """A named test of one component.

    Attributes:
        name: As it is shown, and as `expected_failures` of a component names it.
        kinds: The kinds of component that it is for.
        run: Raises ContractError if the contract is broken, NotApplicable if the check does not apply.
        basic: Whether the other checks of its kinds make no sense where it fails.
        needs: Names of checks, or `BASIC` for the basic ones (for a basic one: those defined before it). If one of them
            fails, this one is not run, so that one mistake is reported once.
    """

    name: str
    kinds: tuple[str, ...]
    run: Callable[[Candidate], None]
    basic: bool = False
    needs: tuple[str, ...] = (BASIC,)

    @property
    def summary(self) -> str:
        return (self.run.__doc__ or "").strip().splitlines()[0]

    def needed(self, kind: str) -> list[Check]:
        """Return the checks of `kind` that have to pass before this one is run."""
        others = [check for check in CHECKS if kind in check.kinds and check is not self]
        basics = [check for check in others if check.basic and BASIC in self.needs]
        if self.basic:
            basics = [check for check in basics if CHECKS.index(check) < CHECKS.index(self)]
        return basics + [check for check in others if check.name in self.needs and check not in basics]


CHECKS: list[Check] = []
BEHAVIOURS: dict[str, Callable[[Candidate], Any]] = {}


def check(
    *kinds: str, basic: bool = False, needs: Sequence[str] = (BASIC,)
) -> Callable[[Callable[[Candidate], None]], Callable[[Candidate], None]]:
    """Register a function as a check of the given kinds, or of all; its name, with dashes, is the check's."""

    def register(run: Callable[[Candidate], None]) -> Callable[[Candidate], None]:
        CHECKS.append(Check(run.__name__.replace("_", "-"), kinds or tuple(HOOKS), run, basic, tuple(needs)))
        return run

    return register


def behaviour(kind: str) -> Callable[[Callable[[Candidate], Any]], Callable[[Candidate], Any]]:
    """Register a function that describes how a component of `kind` behaves: plain data, equal for equal behaviour."""

    def register(describe: Callable[[Candidate], Any]) -> Callable[[Candidate], Any]:
        BEHAVIOURS[kind] = describe
        return describe

    return register


def checks_of(kind: str) -> list[Check]:
    """Return the checks of a kind in the order they run: root causes first, each after those that it needs."""

    @functools.cache
    def depth(check: Check) -> int:
        return 1 + max(map(depth, check.needed(kind)), default=0)

    return sorted((check for check in CHECKS if kind in check.kinds), key=depth)
