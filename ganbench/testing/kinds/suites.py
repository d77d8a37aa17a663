"""Checks of suites: their file can be read and expanded, and their components can be built."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from ...contract.errors import RequestError
from ...contract.records import ComponentRef, Trial
from ...registry.registry import refs_of
from ...results.reports import check_reports
from ...suite.expand import expand
from ...suite.parse import Suite, read_suite
from ..candidate import BUILT_FOR_DATA, Candidate, given_for
from ..check import BASIC, ContractError, NotApplicable, behaviour, check
from ..helpers.trials import specs_of

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
NAME_IN_FAMILY = re.compile(rf"{NAME.pattern}(/{NAME.pattern})?")  # the name of a family before it
DISTRIBUTION_NAME = re.compile(r"[A-Za-z0-9._-]+")


def path_of(candidate: Candidate) -> Path:
    """Return the path of the suite's file. Raise ContractError if it is no TOML file."""
    path = candidate.entry.build()
    if not isinstance(path, Path) or path.suffix != ".toml" or not path.is_file():
        raise ContractError(
            f"build() returns {path!r}, which is no path of a TOML file",
            cause="a text instead of a pathlib.Path, or a file that is not packaged beside the plugin",
            fix='return Path(__file__).with_name("...toml"), and see that the wheel holds the file',
        )
    return path


def suite_of(candidate: Candidate) -> Suite:
    """Return the suite. Raise ContractError if it cannot be parsed."""
    try:
        return read_suite(path_of(candidate))
    except RequestError as error:
        raise _invalid(error) from error


def trials_of(candidate: Candidate) -> list[Trial]:
    """Return the trials of the suite. Raise ContractError if it cannot be expanded.

    Raises NotApplicable instead if files of a data set are missing, or if a distribution is not installed that the
    suite's distribution names among its dependencies and extras.
    """
    suite = suite_of(candidate)
    try:
        for entry in suite.datasets.values():
            candidate.registry.check("dataset", entry.ref, suite.source)
        specs = specs_of(suite, candidate.registry)
        return expand(suite, candidate.registry, specs, plugin_files=candidate.registry.plugins.files)
    except FileNotFoundError as error:
        raise NotApplicable(f"files of a data set are not here: {error}") from error
    except RequestError as error:
        if missing := _missing_distributions(candidate.entry.origin.distribution):
            raise NotApplicable(f"{error}; {', '.join(missing)}, which it may need, is not installed") from error
        raise _invalid(error) from error
    except ValueError as error:  # options of a data set are out of bounds
        raise _invalid(error) from error


def _invalid(error: Exception) -> ContractError:
    return ContractError(
        f"cannot be run: {error}",
        cause="a misspelt name, a wrong value, or a component of a plugin that is not installed",
        fix="correct it; list a distribution that the suite needs among the dependencies or extras of its own",
    )


def _missing_distributions(distribution: str) -> list[str]:
    """Return those plugins among a distribution's dependencies and extras that are not installed."""
    try:
        required = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:  # a plugin file
        return []
    names = (match.group() for line in required if (match := DISTRIBUTION_NAME.match(line)))
    return [name for name in dict.fromkeys(names) if name.startswith("ganbench") and not _installed(name)]


def _installed(distribution: str) -> bool:
    try:
        return bool(metadata.version(distribution))
    except metadata.PackageNotFoundError:
        return False


@check("suite", basic=True)
def is_a_toml_file(candidate: Candidate) -> None:
    """Its `build` takes no arguments and returns the path of an existing TOML file."""
    path_of(candidate)


@check("suite", basic=True)
def can_be_read(candidate: Candidate) -> None:
    """Every key of its file is known, and has a value of the right type."""
    suite_of(candidate)


@check("suite")
def is_named_plainly(candidate: Candidate) -> None:
    """Names have lower-case letters, digits and dashes alone; the suite has the component's name.

    Data sets and methods may have the name of a family before theirs: `weak/frozen`.
    """
    suite = suite_of(candidate)
    if suite.name != candidate.entry.name:
        raise ContractError(
            f"the suite's name is {suite.name!r}, and the component's is {candidate.entry.name!r}",
            cause="`name` in the file, or the file's own name, differs from the component's",
            fix="use the same name: results are stored in a folder of that name",
        )
    for name in (suite.name, *suite.datasets, *suite.methods):
        if not (NAME if name == suite.name else NAME_IN_FAMILY).fullmatch(name):
            raise ContractError(
                f"the name {name!r} is not made of lower-case letters, digits and dashes",
                cause="spaces, capitals or underscores",
                fix="write it like `hinge-spectral`: names become folders, and are typed after --only",
            )


@check("suite", needs=(BASIC, "describes-itself"))
def says_what_it_is_for(candidate: Candidate) -> None:
    """Its `summary`, which is shown at the top of the report, says what it compares."""
    if not suite_of(candidate).summary.strip():
        raise ContractError(
            "has no summary",
            cause='the line `summary = "..."` is missing',
            fix="say in a sentence what the suite compares, and on which data",
        )


@check("suite")
def expands_into_trials(candidate: Candidate) -> None:
    """Every component that it names exists and has those options, and there is at least one trial."""
    suite, trials = suite_of(candidate), trials_of(candidate)
    if not trials:
        raise ContractError(
            "expands into no trial",
            cause="no data set or no seed",
            fix="give `datasets`, `seeds` and [methods.NAME]",
        )
    try:
        check_reports(suite.reports, candidate.registry, suite.source)
        if suite.executor is not None:
            candidate.registry.check("executor", suite.executor, suite.source)
    except RequestError as error:
        raise _invalid(error) from error


@check("suite", needs=(BASIC, "expands-into-trials"))
def every_part_is_used(candidate: Candidate) -> None:
    """No method, data set or metric is skipped in every trial."""
    trials = trials_of(candidate)
    reasons = {trial.id: candidate.registry.why_skipped(trial) for trial in trials}
    for what in ("method", "dataset"):
        for name in dict.fromkeys(getattr(trial, what) for trial in trials):
            why = [reasons[trial.id] for trial in trials if getattr(trial, what) == name]
            if all(why):
                raise ContractError(
                    f"{what} {name!r} is skipped in every trial: {why[0]}",
                    cause="a component that does not support the data",
                    fix="remove it, or set components under `points` and `images` that do",
                )
    for ref in trials[0].evaluation.metrics:
        why = [candidate.registry.skip("metric", ref, trial) for trial in trials]
        if all(why):
            raise ContractError(
                f"metric {ref.name!r} is skipped in every trial: {why[0]}",
                cause="a metric for another kind of data",
                fix="remove it, or add data that it supports",
            )


@check("suite", needs=(BASIC, "expands-into-trials"))
def its_components_build(candidate: Candidate) -> None:
    """Each component builds from the options that the suite sets, networks for the data of their trials."""
    tried: list[tuple[str, ComponentRef, Any]] = []
    for trial in trials_of(candidate):
        for kind, ref in _to_build(candidate, trial):
            spec = trial.data if kind in BUILT_FOR_DATA else None
            if (kind, ref, spec) in tried:
                continue
            tried.append((kind, ref, spec))
            try:
                candidate.registry.build(kind, ref, *given_for(kind, trial.data))
            except Exception as error:
                raise ContractError(
                    f"{kind} {ref.name!r} of method {trial.method!r} on {trial.dataset!r} does not build: "
                    f"{type(error).__name__}: {error}",
                    cause="an option out of bounds, or a network that does not support the data",
                    fix="correct the option: every trial of the method would end in this error",
                ) from error


def _to_build(candidate: Candidate, trial: Trial) -> Iterator[tuple[str, ComponentRef]]:
    """Yield what a trial builds: kind and reference."""
    if candidate.registry.why_skipped(trial):
        return
    for kind, refs in refs_of(trial).items():
        for ref in refs:
            if candidate.registry.skip(kind, ref, trial) is None:
                yield kind, ref


@behaviour("suite")
def behaves(candidate: Candidate) -> Any:
    """Return the contents of its file."""
    return repr(suite_of(candidate)).replace(str(path_of(candidate).parent), "")
