"""Contract checks: small named tests of a component, run before it is trusted with a long run.

`ganbench check` runs them from the command line; `cases` turns them into pytest cases in a plugin's own tests.
"""

from . import (
    any_component,
    datasets,
    diagnoses,
    discriminators,
    executors,
    generators,
    losses,
    metrics,
    regularizers,
    reports,
    suites,
)
from .check import CHECKS, Check, checks_of
from .outcome import Outcome, carry_out
from .pytest_cases import cases
from .selection import select
from .subject import Subject
from .violation import NotApplicable, Violation

__all__ = [
    "CHECKS",
    "Check",
    "NotApplicable",
    "Outcome",
    "Subject",
    "Violation",
    "any_component",
    "carry_out",
    "cases",
    "checks_of",
    "datasets",
    "diagnoses",
    "discriminators",
    "executors",
    "generators",
    "losses",
    "metrics",
    "regularizers",
    "reports",
    "select",
    "suites",
]
