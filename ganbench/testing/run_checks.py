"""A check carried out on a component: passed, failed, failed as declared, or not applicable.

Which components are meant: by name, by distribution, by file, by module.
"""

from __future__ import annotations

import contextlib
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import torch

from ..contract.errors import RequestError, did_you_mean
from ..contract.hooks import HOOKS
from ..registry.plugins import local_files
from ..registry.registry import Registration, Registry, load_registry
from ..training.seeding import deterministic
from .candidate import Candidate
from .check import Check, ContractError, NotApplicable, checks_of


@dataclass(frozen=True)
class CheckOutcome:
    """What came of one check of one component.

    Attributes:
        status: `"expected"` where it failed as the component declares, `"skipped"` where it does not apply,
            `"blocked"` where it was not run, because another check has found a root cause.
        message: Why, where it did not just pass.
    """

    component: str
    check: str
    status: Literal["passed", "failed", "expected", "skipped", "blocked"]
    message: str = ""
    seconds: float = 0.0


def run_checks(candidate: Candidate) -> Iterator[CheckOutcome]:
    """Run every check of the candidate's kind: root causes first, and nothing that a failed one has to spoil."""
    if fault := candidate.entry.fault:
        yield CheckOutcome(candidate.id, "can-be-imported", "failed", f"cannot be imported: {fault}")
        return
    checks = checks_of(candidate.entry.kind)
    names = [check.name for check in checks]
    for name in candidate.expected_failures:
        if name not in names:
            hint = did_you_mean(name, names)
            yield CheckOutcome(
                candidate.id, name, "failed", f"expected_failures names no check of a {candidate.entry.kind}; {hint}"
            )
    failed: dict[str, Check] = {}
    for check in checks:
        if cause := check.blocked_by(failed):
            yield CheckOutcome(candidate.id, check.name, "blocked", f"not run, since {cause} failed")
            continue
        outcome = outcome_of(check, candidate)
        if outcome.status == "failed":
            failed[check.name] = check
        yield outcome


def outcome_of(check: Check, candidate: Candidate) -> CheckOutcome:
    """One check, with torch's global state put back afterwards whatever the component does to it."""
    began = time.perf_counter()
    declared = candidate.expected_failures.get(check.name)
    broken = None
    try:
        with deterministic(torch.device("cpu"), threads=1), contextlib.chdir(Path.cwd()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a library under a component finds worth a remark fails no check
            torch.manual_seed(0)
            check.run(candidate)
    except NotApplicable as reason:
        return CheckOutcome(candidate.id, check.name, "skipped", str(reason), time.perf_counter() - began)
    except ContractError as violation:
        broken = str(violation)
    except (Exception, SystemExit) as error:
        broken = str(_raised(error))
    seconds = time.perf_counter() - began
    if broken and declared:
        return CheckOutcome(candidate.id, check.name, "expected", declared, seconds)
    if broken:
        return CheckOutcome(candidate.id, check.name, "failed", broken, seconds)
    if declared:
        line = f"is declared to fail ({declared}) and passes: take it out of expected_failures"
        return CheckOutcome(candidate.id, check.name, "failed", line, seconds)
    return CheckOutcome(candidate.id, check.name, "passed", seconds=seconds)


def _raised(error: BaseException) -> ContractError:
    """What a component raised where it should have worked."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "site-packages" not in f.filename]
    place = f" ({frames[-1].filename}, line {frames[-1].lineno}, in {frames[-1].name})" if frames else ""
    message = " ".join(str(error).split())[:500] or "no message"
    return ContractError(
        f"raises {type(error).__name__}: {message}{place}",
        cause="the component fails on what the contract promises to give it",
        fix="see ganbench/contract/components.py and docs/plugins.md for what it is called with, and try that line by itself",
    )


OWN = "ganbench"  # the distribution of the built-ins


def select_candidates(
    wanted: Sequence[str | ModuleType] = (), options: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Candidate]:
    """The components meant: by "name" or "kind/name", a distribution, a plugin file's path, or a plugin's module.

    Without any, those of every plugin but the built-ins. `options`, by "kind/name", replace defaults. Raises
    RequestError for what is none of these, with the nearest name.
    """
    names = [_file_of(what) if isinstance(what, ModuleType) else what for what in wanted]
    files = [str(Path(name).resolve()) for name in names if _is_path(name)]
    registry = load_registry(tuple(dict.fromkeys([*local_files(Path.cwd()), *files])))
    for file in files:
        if why := registry.plugins.broken.get(file):
            raise RequestError(f"{file} cannot be loaded: {why}")
    every = [entry for kind in HOOKS for entry in registry.entries(kind)]
    chosen: dict[str, Registration] = {}
    for name in names:
        chosen |= {f"{e.kind}/{e.name}": e for e in _meant(name, every, registry)}
    if not names:
        chosen = {f"{e.kind}/{e.name}": e for e in every if e.origin.distribution != OWN}
    given = options or {}
    for name in given:
        if name not in chosen:
            raise RequestError(
                f"options are given for {name!r}, which is not among the components; {did_you_mean(name, chosen)}"
            )
    return [Candidate(entry, registry, given.get(name, {})) for name, entry in chosen.items()]


def _meant(name: str, every: Sequence[Registration], registry: Registry) -> list[Registration]:
    if _is_path(name):
        found = [entry for entry in every if entry.plugin == str(Path(name).resolve())]
        if not found:
            raise RequestError(
                f"{name} offers no component; write a hook such as ganbench_losses under @ganbench.hookimpl"
            )
        return found
    kind, _, bare = name.rpartition("/")
    found = [e for e in every if e.name == bare and (not kind or e.kind == kind)]
    found = found or [e for e in every if name in (e.origin.distribution, e.plugin)]
    listeners = {n for plugin, origin in registry.plugins.origins.items() for n in (plugin, origin.distribution)}
    if not found and name not in listeners:  # one that only listens offers nothing to check
        _refuse_path(name)
        known = {e.name for e in every} | {e.origin.distribution for e in every}
        broken = "".join(f"; plugin {p!r} failed to load: {why}" for p, why in registry.plugins.broken.items())
        raise RequestError(
            f"no component, distribution or file is called {name!r}; {did_you_mean(name, known)}{broken}"
        )
    return found


def _is_path(name: str) -> bool:
    path = Path(name)
    if path.name == "__init__.py":
        raise RequestError(f"{name} is part of a package, which has to be installed; give its distribution's name then")
    if path.suffix == ".py" and not path.is_file():
        raise RequestError(f"there is no file {name}")
    return path.suffix == ".py"


def _refuse_path(name: str) -> None:
    """Raises RequestError for a path that is no plugin file, now that it is no name either."""
    if name and Path(name).is_dir():
        raise RequestError(f"{name} is a folder; give a plugin's .py file, or install the project and give its name")
    if Path(name).exists():
        raise RequestError(f"{name} is no Python file; give a plugin's .py file, or a name")


def _file_of(module: ModuleType) -> str:
    """A plugin module by its entry point, if it was installed by one; else the file that it was read from."""
    from importlib.metadata import entry_points

    for point in entry_points(group="ganbench"):
        if point.value == module.__name__:
            return point.name
    if module.__file__ is None:
        raise RequestError(f"module {module.__name__!r} has no file")
    return module.__file__
