"""Histories of real runs, recorded once: healthy ones, and one of each failure that has a name.

Each folder holds the `history.parquet` of one trial of built-in components. Their recipes are in `make.py`, and
`python -m scripts/record_histories.py` records them anew.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ....contract.records import History
from ....results.trial_files import read_history

HEALTHY = ("healthy-points", "healthy-images")
FAILING = (
    "overpowering-discriminator",
    "weak-discriminator",
    "mode-collapse",
    "oscillation",
    "memorization",
    "divergence",
)


def recording(name: str) -> History:
    """A recorded history; its arrays are the caller's own."""
    stored = read_history(Path(__file__).parent / name)
    return replace(stored, columns={column: values.copy() for column, values in stored.columns.items()})
