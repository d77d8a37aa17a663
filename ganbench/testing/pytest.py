"""The checks as pytest cases with readable ids, for the tests of a plugin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from .check import checks_of
from .run_checks import outcome_of, select_candidates


def cases(*wanted: str | ModuleType, options: Mapping[str, Mapping[str, Any]] | None = None) -> Callable[..., None]:
    """A test function, a case for each check of each component meant; assign it to a name that begins with `test`.

    `wanted` and `options` as in `ganbench check`: a distribution, a component, a file or the plugin's module. A check
    that a component declares to fail is an expected failure, one that does not apply is skipped, both with the reason.
    """
    import pytest

    subjects = select_candidates(wanted, options)
    for subject in subjects:
        _ = subject.entry.build  # what cannot be imported says so here, once
    pairs = [(subject, check) for subject in subjects for check in checks_of(subject.entry.kind)]
    ids = [f"{subject.id}-{check.name}" for subject, check in pairs]

    @pytest.mark.parametrize(("subject", "check"), pairs, ids=ids)
    def test_contract(subject: Any, check: Any) -> None:
        outcome = outcome_of(check, subject)
        if outcome.status == "skipped":
            pytest.skip(outcome.message)
        if outcome.status == "expected":
            pytest.xfail(outcome.message)
        if outcome.status == "failed":
            pytest.fail(f"{outcome.component}: {outcome.message}", pytrace=False)

    return test_contract
