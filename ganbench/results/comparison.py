"""Compare stored results over seeds: the tables of a report, and each trial's arrays when asked for."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..contract.components import Comparison
from ..contract.errors import RequestError, did_you_mean
from .comparison_tables import aggregate_table, compare_all, comparison_table, pairwise_table
from .merge import read_runs
from .ranking import MARGIN
from .store import Store
from .tables import findings_table, scores_table, settings_of, trials_table
from .trial_files import UnreadableTrial, read_history, read_trial


def load(folder: str | Path) -> StoredComparison:
    """Load the results in a folder as pandas frames; nothing that is stored there is executed.

    Args:
        folder: The results folder of a run, such as `results/basic`.

    Returns:
        The comparison: frames `.trials`, `.scores`, `.findings`, `.comparison`, `.pairwise` and `.aggregate`, with the
        columns of a report's CSV files, and the arrays of a trial by `.history(trial_id)`.

    Raises:
        RequestError: If the folder holds no run.

    Example:
        >>> results = ganbench.load("results/basic")
        >>> results.history(results.trials.trial[0])["loss_d"]
    """
    return compare(Store(Path(folder)))


@contextmanager
def _without_collections() -> Iterator[None]:
    """Keep the garbage collector from looking, again and again, at all that is read; little of it goes before the end."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_without_collections()
def compare(
    *stores: Store, baseline: str | None = None, metric: str | None = None, margin: float = MARGIN
) -> StoredComparison:
    """Compare the trials of the last run in a folder, or in several that agree.

    Args:
        stores: The results.
        baseline: The method that others are compared with, instead of the top-ranked one.
        metric: The only metric to compare by; all by default.
        margin: The difference that does not matter: see `rank_methods`.

    Raises:
        RequestError: If a folder holds no run, there is no such method or metric, or folders do not agree: see
            `read_runs`.
    """
    run = read_runs(stores)
    trials, scores = trials_table(run.results, run.commits), scores_table(run.results)
    _check_name("--baseline", "method", baseline, trials.method)
    _check_name("--metric", "metric", metric, scores.metric)
    if metric is not None:
        scores = scores[scores.metric == metric].reset_index(drop=True)
    compared = compare_all(trials, scores, margin, baseline)
    return StoredComparison(
        suite=run.suite,
        summary=run.summary,
        trials=trials,
        scores=scores,
        findings=findings_table(run.results),
        comparison=comparison_table(trials, scores, compared),
        pairwise=pairwise_table(compared),
        aggregate=aggregate_table(trials, compared),
        environment=run.environment,
        folder=stores[0].folder,
        folders=run.folders,
        damaged=run.damaged,
        missing=run.missing,
    )


def _check_name(option: str, kind: str, name: str | None, known: pd.Series) -> None:
    names = [str(one) for one in dict.fromkeys(known)]
    if name is not None and name not in names:
        raise RequestError(f"{option}: no {kind} is called {name!r} here; {did_you_mean(name, names)}")


@dataclass(frozen=True)
class StoredComparison(Comparison):
    """The comparison of a run's stored results.

    Attributes:
        folder: The results folder, or the first of several.
        folders: The folder of each trial, by its id.
    """

    suite: str
    summary: str
    trials: pd.DataFrame
    scores: pd.DataFrame
    findings: pd.DataFrame
    comparison: pd.DataFrame
    pairwise: pd.DataFrame
    aggregate: pd.DataFrame
    environment: Mapping[str, Any]
    folder: Path
    folders: Mapping[str, Path]
    damaged: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def history(self, trial: str) -> Mapping[str, np.ndarray[Any, Any]]:
        """Return the history of a trial, by column; empty if it has none."""
        try:
            return read_history(self._folder_of(trial)).columns
        except UnreadableTrial:
            return {}

    def picture(self, trial: str) -> Path | None:
        """Return the picture of a trial's samples, or None if it has none."""
        path = self._folder_of(trial) / "samples.png"
        return path if path.is_file() else None

    def snapshots(self, trial: str) -> Mapping[int, Path]:
        """Return the pictures of a trial's samples at earlier evaluations, by step."""
        files = (self._folder_of(trial) / "snapshots").glob("*.png")
        return dict(sorted((int(file.stem), file) for file in files if file.stem.isdecimal()))

    def nearest(self, trial: str) -> Path | None:
        """Return the picture of generated images above the nearest training images, or None if there is none."""
        path = self._folder_of(trial) / "nearest.png"
        return path if path.is_file() else None

    def settings(self, trial: str) -> Mapping[str, Any]:
        """Return the settings of a trial by flat names, as `optimizer_g.lr`; empty if it cannot be read."""
        try:
            return settings_of(read_trial(self._folder_of(trial)))
        except UnreadableTrial:
            return {}

    def _folder_of(self, trial: str) -> Path:
        return self.folders.get(trial, self.folder / "trials" / trial)
