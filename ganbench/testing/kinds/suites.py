"""What is asked of a suite: it can be read, unfolded and built from the components that are there."""

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
from ..candidate import Candidate
from ..check import ContractError, NotApplicable, behaviour, check
from ..helpers.trials import specs_of

PLAIN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
PLAIN_PARTS = re.compile(rf"{PLAIN.pattern}(/{PLAIN.pattern})?")  # a family and one of it
DISTRIBUTION = re.compile(r"[A-Za-z0-9._-]+")


def path_of(candidate: Candidate) -> Path:
    """The suite's file. Raises ContractError where it is none."""
    path = candidate.entry.build()
    if not isinstance(path, Path) or path.suffix != ".toml" or not path.is_file():
        raise ContractError(
            f"build() returns {path!r}, which is no path of a TOML file",
            cause="a text instead of a pathlib.Path, or a file that is not packaged beside the plugin",
            fix='return Path(__file__).with_name("...toml"), and see that the wheel holds the file',
        )
    return path


def suite_of(candidate: Candidate) -> Suite:
    """The suite, read. Raises ContractError where it cannot be."""
    try:
        return read_suite(path_of(candidate))
    except RequestError as error:
        raise _refused(error) from error


def trials_of(candidate: Candidate) -> list[Trial]:
    """Its trials. Raises ContractError for what is not there, NotApplicable where a data set's files are missing.

    So it does where a component is unknown and the suite's distribution names another one, among its dependencies
    and extras, that is not installed.
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
        raise _refused(error) from error
    except ValueError as error:  # of a data set whose options are out of bounds
        raise _refused(error) from error


def _refused(error: Exception) -> ContractError:
    return ContractError(
        f"cannot be run: {error}",
        cause="a slip in a name or a value, or a component of a plugin that is not installed",
        fix="correct it; a distribution that the suite needs belongs in the dependencies or the extras of its own",
    )


def _missing_distributions(distribution: str) -> list[str]:
    """What a distribution asks for, as a dependency or under any extra, and is not installed."""
    try:
        asked = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:  # a plugin file
        return []
    names = (match.group() for line in asked if (match := DISTRIBUTION.match(line)))
    return [name for name in dict.fromkeys(names) if name.startswith("ganbench") and not _installed(name)]


def _installed(distribution: str) -> bool:
    try:
        return bool(metadata.version(distribution))
    except metadata.PackageNotFoundError:
        return False


@check("suite", basic=True)
def is_a_toml_file(candidate: Candidate) -> None:
    """Its build takes nothing and returns the path of a TOML file that is there."""
    path_of(candidate)


@check("suite", basic=True)
def can_be_read(candidate: Candidate) -> None:
    """Every key of its file is one there is, with a value of the right type."""
    suite_of(candidate)


@check("suite")
def is_named_plainly(candidate: Candidate) -> None:
    """Suite, data sets and methods are named in small letters, digits and dashes; the file's name is the component's.

    Data sets and methods may be of a family: `weak/frozen`.
    """
    suite = suite_of(candidate)
    if suite.name != candidate.entry.name:
        raise ContractError(
            f"the suite calls itself {suite.name!r} and is offered as {candidate.entry.name!r}",
            cause="`name` in the file, or the file's own name, differs from the component's",
            fix="give them one name: results go into a folder of that name",
        )
    for name in (suite.name, *suite.datasets, *suite.methods):
        if not (PLAIN if name == suite.name else PLAIN_PARTS).fullmatch(name):
            raise ContractError(
                f"the name {name!r} is not made of small letters, digits and dashes",
                cause="spaces, capitals or underscores",
                fix="write it as in `hinge-spectral`: names become folders and are typed after --only",
            )


@check("suite")
def says_what_it_is_for(candidate: Candidate) -> None:
    """Its `summary` says what it compares: it heads the report."""
    if not suite_of(candidate).summary.strip():
        raise ContractError(
            "has no summary",
            cause='the line `summary = "..."` is missing',
            fix="say in a sentence what the suite compares, on what",
        )


@check("suite")
def expands_into_trials(candidate: Candidate) -> None:
    """Every component that it names is there with those options, and at least one trial comes of it."""
    suite, trials = suite_of(candidate), trials_of(candidate)
    if not trials:
        raise ContractError(
            "unfolds into no trial",
            cause="no data set or no seed",
            fix="give `datasets`, `seeds` and [methods.NAME]",
        )
    try:
        check_reports(suite.reports, candidate.registry, suite.source)
        if suite.executor is not None:
            candidate.registry.check("executor", suite.executor, suite.source)
    except RequestError as error:
        raise _refused(error) from error


@check("suite")
def every_part_is_used(candidate: Candidate) -> None:
    """No method and no data set is skipped everywhere, and each metric serves some data set."""
    trials = trials_of(candidate)
    reasons = {trial.id: candidate.registry.why_skipped(trial) for trial in trials}
    for what in ("method", "dataset"):
        for name in dict.fromkeys(getattr(trial, what) for trial in trials):
            why = [reasons[trial.id] for trial in trials if getattr(trial, what) == name]
            if all(why):
                raise ContractError(
                    f"{what} {name!r} is skipped in every trial: {why[0]}",
                    cause="a component that does not serve the data beside it",
                    fix="take it out, or give `points` and `images` components that serve",
                )
    for ref in trials[0].evaluation.metrics:
        why = [candidate.registry.skip("metric", ref, trial) for trial in trials]
        if all(why):
            raise ContractError(
                f"metric {ref.name!r} serves none of its data sets: {why[0]}",
                cause="a metric for data of another kind",
                fix="take it out, or add data that it serves",
            )


@check("suite")
def its_components_build(candidate: Candidate) -> None:
    """Each component builds from the options that the suite gives it, networks for the data that they meet."""
    tried: list[tuple[str, ComponentRef, Any]] = []
    for trial in trials_of(candidate):
        for kind, ref, given in _to_build(candidate, trial):
            if (kind, ref, given) in tried:
                continue
            tried.append((kind, ref, given))
            try:
                candidate.registry.build(kind, ref, *given)
            except Exception as error:
                raise ContractError(
                    f"{kind} {ref.name!r} of method {trial.method!r} on {trial.dataset!r} does not build: "
                    f"{type(error).__name__}: {error}",
                    cause="an option out of bounds, or a network that does not suit the data",
                    fix="correct the option; every trial of the method would end in this error",
                ) from error


def _to_build(candidate: Candidate, trial: Trial) -> Iterator[tuple[str, ComponentRef, tuple[Any, ...]]]:
    """What the trial builds, kind by kind, and what each is built for."""
    if candidate.registry.why_skipped(trial):
        return
    for kind, refs in refs_of(trial).items():
        given = (trial.data,) if kind in ("generator", "discriminator") else ()
        for ref in refs:
            if candidate.registry.skip(kind, ref, trial) is None:
                yield kind, ref, given


@behaviour("suite")
def behaves(candidate: Candidate) -> Any:
    """What its file says."""
    return repr(suite_of(candidate)).replace(str(path_of(candidate).parent), "")
