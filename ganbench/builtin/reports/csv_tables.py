"""Write the comparison as CSV files, for programs and spreadsheets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import ganbench

if TYPE_CHECKING:
    import pandas as pd

TABLES = ("comparison", "trials", "scores", "findings", "pairwise", "aggregate")

# Columns of integers, which pandas turns into floats as soon as one is missing.
INTEGERS = (
    *("seed", "steps", "step", "onset_step", "n_real", "n_fake", "n_seeds", "n_scored", "failed", "rank"),
    *("images", "parameters_g", "parameters_d", "seeds_needed", "n_pairs", "n_trials", "n_datasets", "n_scores"),
)


FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a text that begins so is run by spreadsheets


class CsvReport(ganbench.Report):
    """CSV files: the comparison, trials, scores, findings, pairs of methods and the aggregate over data sets."""

    def write(self, comparison: ganbench.Comparison, folder: Path) -> list[Path]:
        """Write `comparison.csv`, `trials.csv`, `scores.csv`, `findings.csv`, `pairwise.csv` and `aggregate.csv`."""
        tables = {name: frame for name in TABLES if (frame := getattr(comparison, name, None)) is not None}
        return [ganbench.write_atomically(folder / f"{name}.csv", to_csv(frame)) for name, frame in tables.items()]


def to_csv(frame: pd.DataFrame) -> str:
    """Return a frame as CSV: a header, no index, empty cells for missing values, floats that read back exactly.

    A text that a spreadsheet would take for a formula gets a quote in front.
    """
    texts = {str(name): column.map(_quote_formula) for name, column in frame.items() if _holds_formula(column)}
    frame = frame.assign(**texts)
    integers = {column: "Int64" for column in INTEGERS if column in frame and _holds_integers_as_floats(frame[column])}
    return frame.astype(integers).to_csv(index=False, lineterminator="\n")


def _holds_formula(column: pd.Series) -> bool:
    if column.dtype.kind in "biuf":
        return False
    return any(isinstance(value, str) and value.startswith(FORMULA) for value in column.unique())


def _quote_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _holds_integers_as_floats(column: pd.Series) -> bool:
    return column.dtype.kind == "f" and bool((column.dropna() % 1 == 0).all())
