"""Write the comparison as four CSV files, for programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import ganbench

if TYPE_CHECKING:
    import pandas as pd

TABLES = ("trials", "scores", "findings", "comparison")

# Columns of integers, which pandas turns into floats as soon as one is missing.
INTEGERS = ("seed", "steps", "step", "onset_step", "n_real", "n_fake", "n_seeds", "n_scored", "failed", "rank")


class CsvReport(ganbench.Report):
    """Four CSV files: trials, scores, findings and the comparison."""

    def write(self, comparison: ganbench.Comparison, folder: Path) -> list[Path]:
        """Write `trials.csv`, `scores.csv`, `findings.csv` and `comparison.csv`; return comparison.csv first."""
        files = [
            ganbench.write_atomically(folder / f"{name}.csv", to_csv(getattr(comparison, name))) for name in TABLES
        ]
        return [files[-1], *files[:-1]]


def to_csv(frame: pd.DataFrame) -> str:
    """Return a frame as CSV: a header, no index, empty cells for missing values, floats that read back exactly."""
    integers = {column: "Int64" for column in INTEGERS if column in frame and _holds_integers_as_floats(frame[column])}
    return frame.astype(integers).to_csv(index=False, lineterminator="\n")


def _holds_integers_as_floats(column: pd.Series) -> bool:
    return column.dtype.kind == "f" and bool((column.dropna() % 1 == 0).all())
