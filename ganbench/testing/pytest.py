"""The checks as pytest cases with readable ids, for the tests of a plugin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from .check import Check, checks_of
from .run_checks import outcome_of, select_candidates


def cases(*wanted: str | ModuleType, options: Mapping[str, Mapping[str, Any]] | None = None) -> Callable[..., None]:
    """A test function, a case for each check of each component meant; assign it to a name that begins with `test`.

    `wanted` and `options` as in `ganbench check`: a distribution, a component, a file or the plugin's module. A check
    that a component declares to fail is an expected failure, one that does not apply is skipped, both with the reason.
    """
    import pytest

    candidates = select_candidates(wanted, options)
    for candidate in candidates:
        _ = candidate.entry.build  # what cannot be imported says so here, once
    failed: dict[str, dict[str, Check]] = {candidate.id: {} for candidate in candidates}
    pairs = [(candidate, check) for candidate in candidates for check in checks_of(candidate.entry.kind)]
    ids = [f"{candidate.id}-{check.name}" for candidate, check in pairs]

    @pytest.mark.parametrize(("candidate", "check"), pairs, ids=ids)
    def test_contract(candidate: Any, check: Any) -> None:
        if cause := check.blocked_by(failed[candidate.id]):
            pytest.skip(f"not run, since {cause} failed")
        outcome = outcome_of(check, candidate)
        if outcome.status == "skipped":
            pytest.skip(outcome.message)
        if outcome.status == "expected":
            pytest.xfail(outcome.message)
        if outcome.status == "failed":
            failed[candidate.id][check.name] = check
            pytest.fail(f"{outcome.component}: {outcome.message}", pytrace=False)

    return test_contract
