"""Run the checks of a component: each passes, fails, fails as declared, does not apply, or is not run."""

from __future__ import annotations

import contextlib
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from ..contract.errors import did_you_mean
from ..training.seeding import deterministic
from .candidate import Candidate
from .check import Check, ContractError, NotApplicable, checks_of

MAX_ERROR_CHARS = 500  # of what a component raised


@dataclass(frozen=True)
class CheckOutcome:
    """The outcome of one check of one component.

    Attributes:
        component: As "kind/name".
        check: Name of the check.
        status: `"expected"` if it failed as the component declares, `"skipped"` if it does not apply, `"blocked"` if it
            was not run because a check that it needs has failed.
        message: Why it did not pass.
        seconds: How long it took.
    """

    component: str
    check: str
    status: Literal["passed", "failed", "expected", "skipped", "blocked"]
    message: str = ""
    seconds: float = 0.0


def run_checks(candidate: Candidate) -> Iterator[CheckOutcome]:
    """Run all checks of the candidate's kind, root causes first, and yield their outcomes."""
    kind = candidate.entry.kind
    if fault := candidate.entry.fault:
        yield CheckOutcome(candidate.id, "can-be-imported", "failed", f"cannot be imported: {fault}")
        return
    checks = checks_of(kind)
    names = [check.name for check in checks]
    for name in candidate.expected_failures:
        if name not in names:
            line = f"expected_failures names no check of a {kind}; {did_you_mean(name, names)}"
            yield CheckOutcome(candidate.id, name, "failed", line)
    outcomes: dict[str, CheckOutcome] = {}
    for check in checks:
        yield run_check(check, candidate, outcomes)


def run_check(check: Check, candidate: Candidate, outcomes: dict[str, CheckOutcome]) -> CheckOutcome:
    """Run one check, unless a check that it needs has failed.

    Args:
        check: The check to run.
        candidate: The component.
        outcomes: Outcomes of the component's checks so far, by name. Those that this one needs are run if they are not
            there; they and this one are added.
    """
    for needed in check.needed(candidate.entry.kind):
        if needed.name not in outcomes:
            run_check(needed, candidate, outcomes)
    cause = _root_cause(check, candidate, outcomes)
    outcomes[check.name] = CheckOutcome(candidate.id, check.name, "blocked", cause) if cause else _run(check, candidate)
    return outcomes[check.name]


def _root_cause(check: Check, candidate: Candidate, outcomes: dict[str, CheckOutcome]) -> str:
    """Return why a check is not run: the check at fault, whether it needs that itself or through another."""
    for needed in check.needed(candidate.entry.kind):
        if outcomes[needed.name].status == "failed":
            return f"not run: needs {needed.name}"
        if outcomes[needed.name].status == "blocked":
            return outcomes[needed.name].message
    return ""


def _run(check: Check, candidate: Candidate) -> CheckOutcome:
    """Run one check; torch's global state is restored whatever the component does to it."""
    began = time.perf_counter()
    declared = candidate.expected_failures.get(check.name)
    failure = None
    try:
        with deterministic(torch.device("cpu"), threads=1), contextlib.chdir(Path.cwd()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings of libraries that a component uses fail no check
            torch.manual_seed(0)
            check.run(candidate)
    except NotApplicable as reason:
        return CheckOutcome(candidate.id, check.name, "skipped", str(reason), time.perf_counter() - began)
    except ContractError as error:
        failure = str(error)
    except (Exception, SystemExit) as error:
        failure = str(_unexpected(error))
    seconds = time.perf_counter() - began
    if failure and declared:
        return CheckOutcome(candidate.id, check.name, "expected", declared, seconds)
    if failure:
        return CheckOutcome(candidate.id, check.name, "failed", failure, seconds)
    if declared:
        line = f"is declared to fail ({declared}) and passes: remove it from expected_failures"
        return CheckOutcome(candidate.id, check.name, "failed", line, seconds)
    return CheckOutcome(candidate.id, check.name, "passed", seconds=seconds)


def _unexpected(error: BaseException) -> ContractError:
    """Return the contract error for an exception that a component raised."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "site-packages" not in f.filename]
    place = f" ({frames[-1].filename}, line {frames[-1].lineno}, in {frames[-1].name})" if frames else ""
    message = " ".join(str(error).split())[:MAX_ERROR_CHARS] or "no message"
    return ContractError(
        f"raises {type(error).__name__}: {message}{place}",
        cause="the component fails for arguments that the contract allows",
        fix="see docs/plugins.md for what it is called with, and reproduce that line by itself",
    )
