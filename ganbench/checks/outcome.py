"""A check carried out on a component: passed, failed, failed as declared, or not applicable."""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch

from ..errors import did_you_mean
from ..seeding import isolated
from .check import Check, checks_of
from .subject import Subject
from .violation import NotApplicable, Violation


@dataclass(frozen=True)
class Outcome:
    """What came of one check of one component. `message` says why, where it did not just pass."""

    component: str
    check: str
    status: Literal["passed", "failed", "expected", "skipped"]
    message: str = ""
    seconds: float = 0.0


def carry_out(subject: Subject) -> Iterator[Outcome]:
    """Every check of the subject's kind, one after the other."""
    if fault := subject.entry.fault:
        yield Outcome(subject.id, "can-be-imported", "failed", f"cannot be imported: {fault}")
        return
    checks = checks_of(subject.entry.kind)
    names = [check.name for check in checks]
    for name in subject.expected_failures:
        if name not in names:
            hint = did_you_mean(name, names)
            yield Outcome(
                subject.id, name, "failed", f"expected_failures names no check of a {subject.entry.kind}; {hint}"
            )
    for check in checks:
        yield outcome_of(check, subject)


def outcome_of(check: Check, subject: Subject) -> Outcome:
    """One check, with torch's global state put back afterwards whatever the component does to it."""
    began = time.perf_counter()
    declared = subject.expected_failures.get(check.name)
    broken = None
    try:
        with isolated(torch.device("cpu"), threads=1), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a library under a component finds worth a remark fails no check
            torch.manual_seed(0)
            check.run(subject)
    except NotApplicable as reason:
        return Outcome(subject.id, check.name, "skipped", str(reason), time.perf_counter() - began)
    except Violation as violation:
        broken = str(violation)
    except (Exception, SystemExit) as error:
        broken = str(_raised(error))
    seconds = time.perf_counter() - began
    if broken and declared:
        return Outcome(subject.id, check.name, "expected", declared, seconds)
    if broken:
        return Outcome(subject.id, check.name, "failed", broken, seconds)
    if declared:
        line = f"is declared to fail ({declared}) and passes: take it out of expected_failures"
        return Outcome(subject.id, check.name, "failed", line, seconds)
    return Outcome(subject.id, check.name, "passed", seconds=seconds)


def _raised(error: BaseException) -> Violation:
    """What a component raised where it should have worked."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "site-packages" not in f.filename]
    place = f" ({frames[-1].filename}, line {frames[-1].lineno}, in {frames[-1].name})" if frames else ""
    message = " ".join(str(error).split())[:500] or "no message"
    return Violation(
        f"raises {type(error).__name__}: {message}{place}",
        cause="the component fails on what the contract promises to give it",
        mend="see ganbench/protocols.py and docs/plugins.md for what it is called with, and try that line by itself",
    )
