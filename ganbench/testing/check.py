"""How a check says that a component breaks its contract, or that the contract says nothing about it.

What a contract check is, and the list of all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..contract.hooks import HOOKS

if TYPE_CHECKING:
    from .candidate import Candidate


class ContractError(Exception):
    """A component breaks its contract: what is wrong, the likely cause, and how to fix it."""

    def __init__(self, what: str, *, cause: str, fix: str) -> None:
        super().__init__(f"{what}\n  likely cause: {cause}\n  to fix it: {fix}")
        self.what, self.cause, self.fix = what, cause, fix


class NotApplicable(Exception):
    """The check says nothing about this component, and why: data that is not there, an act it does not offer."""


@dataclass(frozen=True)
class Check:
    """A named test of one component: `run` raises Violation where the contract is broken."""

    name: str
    kinds: tuple[str, ...]
    run: Callable[[Candidate], None]

    @property
    def summary(self) -> str:
        return (self.run.__doc__ or "").strip().splitlines()[0]


CHECKS: list[Check] = []
BEHAVIOURS: dict[str, Callable[[Candidate], Any]] = {}


def check(*kinds: str) -> Callable[[Callable[[Candidate], None]], Callable[[Candidate], None]]:
    """Make a function a check of the given kinds, all where none is given; its name, with dashes, is the check's."""

    def register(run: Callable[[Candidate], None]) -> Callable[[Candidate], None]:
        CHECKS.append(Check(run.__name__.replace("_", "-"), kinds or tuple(HOOKS), run))
        return run

    return register


def behaviour(kind: str) -> Callable[[Callable[[Candidate], Any]], Callable[[Candidate], Any]]:
    """Make a function say how a component of `kind`, built anew, behaves: plain data, equal where two behave alike."""

    def register(describe: Callable[[Candidate], Any]) -> Callable[[Candidate], Any]:
        BEHAVIOURS[kind] = describe
        return describe

    return register


def checks_of(kind: str) -> list[Check]:
    """The checks of a kind, in the order they run."""
    return [check for check in CHECKS if kind in check.kinds]
