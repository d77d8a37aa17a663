"""Contract checks: small named tests of a component, run before it is trusted with a long run.

`ganbench check` runs them from the command line; `cases` turns them into pytest cases in a plugin's own tests.
"""

from .candidate import Candidate, select_candidates
from .check import CHECKS, Check, ContractError, NotApplicable, checks_of
from .kinds import (
    any_component,
    augmentations,
    datasets,
    diagnoses,
    discriminators,
    executors,
    features,
    generators,
    losses,
    members,
    metrics,
    optimizers,
    regularizers,
    reports,
    suites,
    terms,
    updates,
)
from .pytest import cases
from .run_checks import CheckOutcome, run_checks

__all__ = [
    "CHECKS",
    "Candidate",
    "Check",
    "CheckOutcome",
    "ContractError",
    "NotApplicable",
    "any_component",
    "augmentations",
    "cases",
    "checks_of",
    "datasets",
    "diagnoses",
    "discriminators",
    "executors",
    "features",
    "generators",
    "losses",
    "members",
    "metrics",
    "optimizers",
    "regularizers",
    "reports",
    "run_checks",
    "select_candidates",
    "suites",
    "terms",
    "updates",
]
