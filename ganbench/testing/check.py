"""What a contract check is, and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..contract.hooks import HOOKS

if TYPE_CHECKING:
    from .candidate import Candidate

# When a check runs. One that fails at BUILDS or BASICS is the root cause of whatever would fail after it, so that
# checks of later levels are not run then.
DECLARES, BUILDS, BASICS, DETAILS = range(4)


class ContractError(Exception):
    """A component breaks its contract: what is wrong, the likely cause, and how to fix it."""

    def __init__(self, what: str, *, cause: str, fix: str) -> None:
        super().__init__(f"{what}\n  likely cause: {cause}\n  fix: {fix}")
        self.what, self.cause, self.fix = what, cause, fix


class NotApplicable(Exception):
    """A check says nothing about this component, and why: data that is not there, a member that it does not offer."""


@dataclass(frozen=True)
class Check:
    """A named test of one component.

    Attributes:
        name: As it is shown, and as `expected_failures` of a component names it.
        kinds: The kinds of component that it is for.
        run: Raises ContractError where the contract is broken, NotApplicable where it says nothing.
        level: When it runs: `DECLARES`, `BUILDS`, `BASICS` or `DETAILS`.
    """

    name: str
    kinds: tuple[str, ...]
    run: Callable[[Candidate], None]
    level: int = DETAILS

    @property
    def summary(self) -> str:
        return (self.run.__doc__ or "").strip().splitlines()[0]

    def blocked_by(self, failed: Mapping[str, Check]) -> str | None:
        """Return the failed check that is the root cause of whatever this one would find; None where it can run."""
        gates = (name for name, check in failed.items() if check.level in (BUILDS, BASICS) and check.level < self.level)
        return next(gates, None)


CHECKS: list[Check] = []
BEHAVIOURS: dict[str, Callable[[Candidate], Any]] = {}


def check(*kinds: str, level: int = DETAILS) -> Callable[[Callable[[Candidate], None]], Callable[[Candidate], None]]:
    """Make a function a check of the given kinds, all where none is given; its name, with dashes, is the check's."""

    def register(run: Callable[[Candidate], None]) -> Callable[[Candidate], None]:
        CHECKS.append(Check(run.__name__.replace("_", "-"), kinds or tuple(HOOKS), run, level))
        return run

    return register


def behaviour(kind: str) -> Callable[[Callable[[Candidate], Any]], Callable[[Candidate], Any]]:
    """Make a function say how a component of `kind`, built anew, behaves: plain data, equal where two behave alike."""

    def register(describe: Callable[[Candidate], Any]) -> Callable[[Candidate], Any]:
        BEHAVIOURS[kind] = describe
        return describe

    return register


def checks_of(kind: str) -> list[Check]:
    """Return the checks of a kind in the order they run: root causes first."""
    return sorted((check for check in CHECKS if kind in check.kinds), key=lambda check: check.level)
