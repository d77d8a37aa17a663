"""The comparison as four CSV files, for programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import ganbench

from .files import write_atomically

if TYPE_CHECKING:
    import pandas as pd

TABLES = ("trials", "scores", "findings", "comparison")

# Whole numbers, which pandas turns into floats as soon as one is missing.
COUNTS = ("seed", "steps", "step", "onset_step", "n_real", "n_fake", "n_seeds", "n_scored", "failed", "rank")


class CsvReport(ganbench.Report):
    """Four CSV files: trials, scores, findings and the comparison."""

    def write(self, comparison: ganbench.Comparison, folder: Path) -> list[Path]:
        """Write `trials.csv`, `scores.csv`, `findings.csv` and `comparison.csv`; comparison.csv comes first."""
        written = [write_atomically(folder / f"{name}.csv", to_csv(getattr(comparison, name))) for name in TABLES]
        return [written[-1], *written[:-1]]


def to_csv(frame: pd.DataFrame) -> str:
    """A frame as comma-separated text: a header, no index, empty for missing, floats that read back exactly."""
    return frame.astype(
        {column: "Int64" for column in COUNTS if column in frame and _holds_whole_numbers(frame[column])}
    ).to_csv(index=False, lineterminator="\n")


def _holds_whole_numbers(column: pd.Series) -> bool:
    if column.dtype.kind != "f":
        return False
    present = column.dropna()
    return bool((present % 1 == 0).all())
