"""Recorded histories of real runs: healthy ones, and one of each failure that a built-in diagnosis looks for.

Each folder has the `history.parquet` of one trial of built-in components. `scripts/record_histories.py` has their
recipes and records them again.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ....contract.failures import Failure
from ....contract.records import DataSpec, History
from ....results.trial_files import read_history

HEALTHY = ("healthy-points", "healthy-images")
FAILING = (
    Failure.OVERPOWERING_DISCRIMINATOR,
    Failure.WEAK_DISCRIMINATOR,
    Failure.MODE_COLLAPSE,
    Failure.OSCILLATION,
    Failure.MEMORIZATION,
    Failure.DIVERGENCE,
)

RING = DataSpec("points", (2,), modes=8)
DIGITS = DataSpec("images", (1, 8, 8), value_range=(-1.0, 1.0), classes=10)
DATA = {  # of each run: the name of its data set, and what that looks like
    "healthy-points": ("ring", RING),
    "healthy-images": ("digits", DIGITS),
    Failure.OVERPOWERING_DISCRIMINATOR: ("digits", DIGITS),
    Failure.WEAK_DISCRIMINATOR: ("ring", RING),
    Failure.MODE_COLLAPSE: ("ring", RING),
    Failure.OSCILLATION: ("digits", DIGITS),
    Failure.MEMORIZATION: ("few", DIGITS),
    Failure.DIVERGENCE: ("ring", RING),
}


def recording(name: str) -> History:
    """Return a recorded history; its arrays are copies."""
    stored = read_history(Path(__file__).parent / name)
    return replace(stored, columns={column: values.copy() for column, values in stored.columns.items()})
