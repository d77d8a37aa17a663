"""Checks that three tables are recordings: each column holds what it should, each run has its states and a history."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...contract.errors import did_you_mean
from ..ground_truth.labels import FAILURES

Array = np.ndarray[Any, Any]

TEXT = ("run", "dataset", "recipe", "loss", "status")
PLAYERS = ("discriminator", "generator")
MAX_COUNT = 2.0**53  # beyond it a float cannot count
MAX_VALUE_CHARS = 60


@dataclass(frozen=True)
class Table:
    """The rows of one file. Every method raises ValueError with the file, the run and the column of the first fault."""

    file: str
    rows: pd.DataFrame

    def texts(self, *columns: str) -> None:
        """Raise unless the columns hold text in every row."""
        for column in columns:
            self._refuse(
                column, ~self._column(column).map(lambda cell: isinstance(cell, str)), "where text is expected"
            )

    def numbers(self, column: str, *, gaps: bool = False) -> Array:
        """A column of numbers, as (rows,) floats; with `gaps` NaN where there is none."""
        cells = self._column(column)
        if not pd.api.types.is_numeric_dtype(cells.dtype):
            self._refuse(column, cells.notna(), "where a number is expected")
            cells = cells.astype(float)
        if not gaps:
            self._refuse(column, cells.isna(), "where a number is expected")
        return cells.to_numpy(float, na_value=np.nan)

    def counts(self, column: str, *, least: int = 0, gaps: bool = False) -> Array:
        """A column of whole numbers."""
        numbers = self.numbers(column, gaps=gaps)
        whole = np.isfinite(numbers) & (numbers == np.trunc(numbers)) & (numbers >= least) & (numbers < MAX_COUNT)
        whole |= np.isnan(numbers)  # which `gaps` allows, or it was refused
        self._refuse(column, ~whole, f"where a whole number of {least} or more is expected")
        return numbers

    def fractions(self, column: str) -> None:
        """A column of numbers between 0 and 1."""
        numbers = self.numbers(column)
        self._refuse(column, ~((numbers >= 0) & (numbers <= 1)), "where a fraction from 0 to 1 is expected")

    def truths(self, column: str) -> None:
        """A column of true and false."""
        cells = self._column(column)
        if cells.dtype != bool:
            self._refuse(column, ~cells.map(lambda cell: isinstance(cell, bool)), "where true or false is expected")

    def one_of(self, column: str, valid: Collection[str], rows: Array) -> None:
        """A column names, in the `rows` (a mask), something that there is."""
        cells = self._column(column)
        for wrong in cells[rows & ~cells.isin(list(valid)).to_numpy()].head(1):
            self._refuse(column, rows & ~cells.isin(list(valid)).to_numpy(), did_you_mean(str(wrong), valid))

    def steps(self, column: str) -> None:
        """A column of whole numbers that never go back within a run."""
        steps = pd.Series(self.counts(column), index=self.rows.index)
        earlier = steps.groupby(self.rows["run"].to_numpy(), sort=False).shift()
        back = (steps < earlier).to_numpy()
        if back.any():
            at = int(back.argmax())
            raise ValueError(f"{self._where(column, at)} goes back from {earlier.iloc[at]:.0f} to {steps.iloc[at]:.0f}")

    def _column(self, column: str) -> pd.Series[Any]:
        if column not in self.rows:
            raise ValueError(f"{self.file} has no column {column!r}")
        return self.rows[column]

    def _refuse(self, column: str, wrong: Any, what: str) -> None:
        wrong = np.asarray(wrong, bool)
        if wrong.any():
            at = int(wrong.argmax())
            cell = self.rows[column].iloc[at]
            shown = repr(cell)[:MAX_VALUE_CHARS] if isinstance(cell, str) else str(cell)[:MAX_VALUE_CHARS]
            raise ValueError(f"{self._where(column, at)} holds {'nothing' if cell is None else shown}, {what}")

    def _where(self, column: str, at: int) -> str:
        return f"{self.file}: run {self.rows['run'].iloc[at]!r}: column {column!r}"


def check_runs(table: Table) -> None:
    """Raise ValueError, one line, if a row does not describe a run."""
    if table.rows.empty:
        raise ValueError(f"{table.file} has no rows")
    table.texts(*TEXT, "ended_with", *(["network"] if "network" in table.rows else []))
    runs = table.rows["run"]
    if (twice := runs[runs.duplicated()]).size:
        raise ValueError(f"{table.file}: run {twice.iloc[0]!r} is listed twice")
    table.counts("seed")
    table.counts("kinds")
    table.counts("steps", least=1)
    table.numbers("seconds")
    for failure in FAILURES:
        table.counts(f"onset:{failure}", gaps=True)
    for run, ended_with in zip(runs, table.rows["ended_with"], strict=True):
        for unknown in sorted(set(ended_with.split(";")) - {"", *FAILURES}):
            raise ValueError(
                f"{table.file}: run {run!r}: column 'ended_with' holds {unknown!r}, which is not a failure; "
                f"{did_you_mean(unknown, FAILURES)}"
            )
    nonfinite = ~np.isnan(table.counts("broke_at", gaps=True))
    table.one_of("broke_player", PLAYERS, nonfinite)
    Table(table.file, table.rows[nonfinite]).texts("broke_layer", "broke_what")


def check_states(table: Table, runs: pd.Series[Any]) -> None:
    """Raise ValueError, one line, if a row does not say which failures a run had at a fraction of its budget."""
    _check_owners(table, runs)
    table.fractions("fraction")
    for failure in FAILURES:
        table.truths(failure)


def check_histories(table: Table, runs: pd.Series[Any]) -> None:
    """Raise ValueError, one line, if a row is not an observation of a run."""
    _check_owners(table, runs)
    table.steps("step")
    for column in table.rows.columns.difference(["run", "step"], sort=False):
        table.numbers(str(column), gaps=True)


def _check_owners(table: Table, runs: pd.Series[Any]) -> None:
    """Raise unless every row belongs to a run, and every run has rows."""
    table.texts("run")
    without = runs[~runs.isin(table.rows["run"])]
    if without.size:
        raise ValueError(f"{table.file} has no rows of run {without.iloc[0]!r}")
