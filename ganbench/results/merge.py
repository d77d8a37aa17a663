"""Puts the results of several runs together where they agree, and refuses them where they do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..contract.errors import RequestError
from ..contract.records import Trial, TrialResult
from .store import Store
from .tables import settings_of


@dataclass(frozen=True)
class StoredRun:
    """The results of a run, or of several that agree.

    Attributes:
        suite: Name of the suite.
        summary: What the suite says it is for.
        results: The results.
        folders: The folder of each trial, by its id.
        commits: The commit that was checked out where each trial ran, by its id.
        environment: Where and with what the runs were made; a list where they differ.
        damaged: A line for each stored trial that could not be read.
        missing: Ids of trials that are listed and not stored.
    """

    suite: str
    summary: str
    results: tuple[TrialResult, ...]
    folders: Mapping[str, Path]
    commits: Mapping[str, str]
    environment: Mapping[str, Any]
    damaged: tuple[str, ...]
    missing: tuple[str, ...]


def read_run(store: Store) -> StoredRun:
    """Return the last run of a folder. Raise RequestError if it holds none."""
    facts, environment = store.facts(), store.environment()
    results, damaged = store.results()
    commit = environment.get("commit")
    return StoredRun(
        suite=str(facts.get("suite", "")),
        summary=str(facts.get("summary", "")),
        results=tuple(results),
        folders={result.trial.id: store.folder_of(result.trial.id) for result in results},
        commits={result.trial.id: commit if isinstance(commit, str) else "" for result in results},
        environment=environment,
        damaged=tuple(damaged),
        missing=tuple(store.missing()),
    )


def read_runs(stores: Sequence[Store]) -> StoredRun:
    """Return the runs of several folders as one, its trials by data set, method and seed.

    A trial that two folders hold counts once, if it ended the same in both; where it was lost to a fault in one of them,
    the other counts.

    Raises:
        RequestError: If a folder holds no run, or two are of different suites, or a data set, a method or a trial is not
            the same in both.
    """
    runs = [read_run(store) for store in stores]
    if len(runs) == 1:
        return runs[0]
    merged: dict[str, tuple[TrialResult, StoredRun, Path]] = {}
    seen: dict[tuple[str, str], tuple[Trial, Path]] = {}
    for store, run in zip(stores, runs, strict=True):
        if run.suite != runs[0].suite:
            raise _disagreement(stores[0].folder, store.folder, f"suite {runs[0].suite!r} and suite {run.suite!r}")
        for result in run.results:
            trial = result.trial
            _check_same_task(trial, store.folder, seen)
            if trial.id in merged:
                other, _, folder = merged[trial.id]
                if other.status.is_fault:
                    merged[trial.id] = result, run, store.folder
                elif not result.status.is_fault and _outcome(result) != _outcome(other):
                    raise _disagreement(folder, store.folder, f"trial {trial.id} ended differently")
            else:
                merged[trial.id] = result, run, store.folder
    kept = {result.trial.id: (result, run) for result, run, _ in _in_order(list(merged.values()))}
    return StoredRun(
        suite=runs[0].suite,
        summary=runs[0].summary,
        results=tuple(result for result, _ in kept.values()),
        folders={trial_id: run.folders[trial_id] for trial_id, (_, run) in kept.items()},
        commits={trial_id: run.commits[trial_id] for trial_id, (_, run) in kept.items()},
        environment=_merge_environments([run.environment for run in runs]),
        damaged=tuple(line for run in runs for line in run.damaged),
        missing=tuple(dict.fromkeys(one for run in runs for one in run.missing if one not in kept)),
    )


def _disagreement(one: Path, other: Path, what: str) -> RequestError:
    return RequestError(f"{one} and {other} cannot be merged: {what}; report them one at a time")


def _check_same_task(trial: Trial, folder: Path, seen: dict[tuple[str, str], tuple[Trial, Path]]) -> None:
    """Raise RequestError if a data set, or a method on it, is not what it is in another folder."""
    for label, key in (("data set", (trial.dataset, "")), ("method", (trial.dataset, trial.method))):
        first, where = seen.setdefault(key, (trial, folder))
        if where == folder:
            continue
        name = (
            f"{label} {key[1] or key[0]!r}" if label == "data set" else f"method {trial.method!r} on {trial.dataset!r}"
        )
        for setting, ours, theirs in _differences(first, trial, whole=label == "method"):
            raise _disagreement(where, folder, f"{setting} of {name} is {ours} in the first and {theirs} in the second")


def _differences(one: Trial, other: Trial, whole: bool) -> Iterator[tuple[str, Any, Any]]:
    """The settings that differ: of the data set and its evaluation, or of the `whole` trial."""
    described = [_describe(trial, whole) for trial in (one, other)]
    for name in dict.fromkeys([*described[0], *described[1]]):
        values = [of.get(name, "not set") for of in described]
        if values[0] != values[1]:
            yield name, values[0], values[1]


def _describe(trial: Trial, whole: bool) -> dict[str, Any]:
    parts = trial.components
    described = {
        "dataset": parts.dataset.name,
        **{f"dataset.{key}": value for key, value in parts.dataset.options.items()},
        "evaluation.samples": trial.evaluation.samples,
    }
    if whole:
        described |= {name: getattr(parts, name).name for name in ("generator", "discriminator", "loss")}
        described |= {"regularizers": [ref.name for ref in parts.regularizers], **settings_of(trial)}
    return described


def _outcome(result: TrialResult) -> tuple[Any, ...]:
    """What has to be the same of a trial that two folders hold: all but times."""
    scores = [(score.step, score.metric, repr(score.value)) for score in result.scores]
    return (result.status, result.steps, sorted(scores))


def _in_order(
    merged: list[tuple[TrialResult, StoredRun, Path]],
) -> list[tuple[TrialResult, StoredRun, Path]]:
    """Sort by data set and method, each in the order of its first appearance, then by seed."""
    datasets = {name: i for i, name in enumerate(dict.fromkeys(result.trial.dataset for result, _, _ in merged))}
    methods = {name: i for i, name in enumerate(dict.fromkeys(result.trial.method for result, _, _ in merged))}
    return sorted(
        merged, key=lambda one: (datasets[one[0].trial.dataset], methods[one[0].trial.method], one[0].trial.seed)
    )


def _merge_environments(environments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for key in dict.fromkeys(key for environment in environments for key in environment):
        values = [environment[key] for environment in environments if key in environment]
        if all(value == values[0] for value in values):
            merged[key] = values[0]
        else:
            flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
            merged[key] = [item for index, item in enumerate(flat) if item not in flat[:index]]
    return merged
