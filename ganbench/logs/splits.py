"""Rows of validation and test samples among those of training.

Losses there are not those that are trained on, and D's outputs not those that it is trained to give; a quality score is
of the same G wherever it stands.
"""

from __future__ import annotations

from .names import canonical_name
from .onset import SCORES
from .steps import step_unit

SPLIT_COLUMNS = frozenset({"split", "phase", "mode", "stage", "subset", "partition"})
TRAINING_WORDS = frozenset({"train", "training", "trn", "fit"})
OTHER_WORDS = frozenset({"val", "valid", "validation", "test", "testing", "eval", "evaluation", "dev"})


def is_split_column(raw: str) -> bool:
    """Return whether a column may say which samples a row is of."""
    return raw.strip().lower() in SPLIT_COLUMNS


def is_of_training(cell: object) -> bool:
    """Return whether a cell of such a column says that its row is of training samples."""
    return isinstance(cell, str) and cell.strip(" \"'").lower() in TRAINING_WORDS


def is_of_others(cell: object) -> bool:
    """Return whether a cell of such a column says that its row is of other samples."""
    return isinstance(cell, str) and cell.strip(" \"'").lower() in OTHER_WORDS


def counts_anywhere(raw: str) -> bool:
    """Return whether a column is read in rows of any samples: one that counts steps, or a quality score."""
    return step_unit(raw) is not None or canonical_name(raw) in SCORES


def note_on_split(column: str) -> str:
    """Return the note that rows were read in part."""
    return f"rows of other samples than those trained on (column {column!r}): only quality scores are read there"
