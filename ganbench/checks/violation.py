"""How a check says that a component breaks its contract, or that the contract says nothing about it."""

from __future__ import annotations


class Violation(Exception):
    """A component breaks its contract: what is wrong, the likely cause, and how to mend it."""

    def __init__(self, what: str, *, cause: str, mend: str) -> None:
        super().__init__(f"{what}\n  likely cause: {cause}\n  to mend it: {mend}")
        self.what, self.cause, self.mend = what, cause, mend


class NotApplicable(Exception):
    """The check says nothing about this component, and why: data that is not there, an act it does not offer."""
