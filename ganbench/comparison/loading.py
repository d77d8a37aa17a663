"""A run's folder as a Comparison: the four tables, and each trial's arrays when asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..store import Store, Unreadable, read_history
from . import tables


@dataclass(frozen=True)
class Comparison:
    """The results of a run, compared. Tables have the columns of the CSV files of a report."""

    suite: str
    summary: str
    trials: pd.DataFrame
    scores: pd.DataFrame
    findings: pd.DataFrame
    comparison: pd.DataFrame
    environment: Mapping[str, Any]
    folder: Path
    damaged: tuple[str, ...] = ()  # stored trials that could not be read, and why

    def history(self, trial: str) -> Mapping[str, np.ndarray[Any, Any]]:
        """The history of a trial, by column; empty where it has none."""
        try:
            return read_history(self.folder / "trials" / trial).columns
        except Unreadable:
            return {}

    def picture(self, trial: str) -> Path | None:
        """The picture of a trial's samples, where it has one."""
        path = self.folder / "trials" / trial / "samples.png"
        return path if path.is_file() else None


def compare(store: Store) -> Comparison:
    """Compare the trials of the last run in a folder. Raises RequestError where there is none."""
    facts = store.facts()
    results, damaged = store.results()
    trials, scores, findings = (
        tables.trials_table(results),
        tables.scores_table(results),
        tables.findings_table(results),
    )
    return Comparison(
        suite=str(facts.get("suite", "")),
        summary=str(facts.get("summary", "")),
        trials=trials,
        scores=scores,
        findings=findings,
        comparison=tables.comparison_table(trials, scores),
        environment=store.environment(),
        folder=store.folder,
        damaged=tuple(damaged),
    )


def load(folder: str | Path) -> Comparison:
    """The results in `folder` as pandas frames: `.trials`, `.scores`, `.findings` and `.comparison`.

    Raises RequestError where the folder holds no run. Runs nothing of what it reads.
    """
    return compare(Store(Path(folder)))
