"""The checks as pytest cases with readable ids, for the tests of a plugin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from .candidate import Candidate, select_candidates
from .check import Check, checks_of
from .run_checks import CheckOutcome, run_check


def cases(*wanted: str | ModuleType, options: Mapping[str, Mapping[str, Any]] | None = None) -> Callable[..., None]:
    """Return a test function with a case for each check of each component.

    A check that a component declares to fail is an expected failure; one that does not apply, or that needs a check
    which fails, is skipped with the reason.

    Args:
        *wanted: As for `ganbench check`: a distribution, a component or a file; or the plugin's module.
        options: Options to build components with, by "kind/name", over their defaults.

    Example:
        >>> test_contract = ganbench.testing.cases("ganbench-mine")
    """
    import pytest

    candidates = select_candidates(wanted, options)
    for candidate in candidates:
        _ = candidate.entry.build  # what cannot be imported raises here, once
    outcomes: dict[str, dict[str, CheckOutcome]] = {candidate.id: {} for candidate in candidates}
    pairs = [(candidate, check) for candidate in candidates for check in checks_of(candidate.entry.kind)]
    ids = [f"{candidate.id}-{check.name}" for candidate, check in pairs]

    @pytest.mark.parametrize(("candidate", "check"), pairs, ids=ids)
    def test_contract(candidate: Candidate, check: Check) -> None:
        outcome = run_check(check, candidate, outcomes[candidate.id])
        if outcome.status in ("skipped", "blocked"):
            pytest.skip(outcome.message)
        if outcome.status == "expected":
            pytest.xfail(outcome.message)
        if outcome.status == "failed":
            pytest.fail(f"{outcome.component}: {outcome.message}", pytrace=False)

    return test_contract
