"""What a contract check is, and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..hookspecs import HOOKS

if TYPE_CHECKING:
    from .subject import Subject


@dataclass(frozen=True)
class Check:
    """A named test of one component: `run` raises Violation where the contract is broken."""

    name: str
    kinds: tuple[str, ...]
    run: Callable[[Subject], None]

    @property
    def summary(self) -> str:
        return (self.run.__doc__ or "").strip().splitlines()[0]


CHECKS: list[Check] = []
BEHAVIOURS: dict[str, Callable[[Subject], Any]] = {}


def check(*kinds: str) -> Callable[[Callable[[Subject], None]], Callable[[Subject], None]]:
    """Make a function a check of the given kinds, all where none is given; its name, with dashes, is the check's."""

    def register(run: Callable[[Subject], None]) -> Callable[[Subject], None]:
        CHECKS.append(Check(run.__name__.replace("_", "-"), kinds or tuple(HOOKS), run))
        return run

    return register


def behaviour(kind: str) -> Callable[[Callable[[Subject], Any]], Callable[[Subject], Any]]:
    """Make a function say how a component of `kind`, built anew, behaves: plain data, equal where two behave alike."""

    def register(describe: Callable[[Subject], Any]) -> Callable[[Subject], Any]:
        BEHAVIOURS[kind] = describe
        return describe

    return register


def checks_of(kind: str) -> list[Check]:
    """The checks of a kind, in the order they run."""
    return [check for check in CHECKS if kind in check.kinds]
