"""`ganbench score`: recordings in, tables and a page out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..catalog import Catalog
from ..errors import RequestError
from ..store import Store, write_atomically
from . import dataset, tables
from .diagnosers import OWN, diagnosers
from .judging import judge
from .page import page
from .reading import recordings_of
from .recording import Recording


@dataclass(frozen=True)
class Scoring:
    """The tables of a scoring (see `tables`), what they were made from, and what was left out."""

    score: pd.DataFrame
    verdicts: pd.DataFrame
    stopping: pd.DataFrame
    confusion: pd.DataFrame
    recordings: Sequence[Recording]
    notes: Sequence[str]


def score(folder: Path, catalog: Catalog) -> Scoring:
    """Score every diagnosis of the catalog on the run, or on the recordings, in `folder`.

    Raises RequestError where there is neither, or no trial has a ground truth.
    """
    recordings, notes = read(folder)
    theirs, more_notes = diagnosers(catalog)
    judgements = judge(recordings, theirs)
    return Scoring(
        score=tables.score_table(judgements),
        verdicts=tables.verdict_table(judgements),
        stopping=tables.stopping_table(judgements),
        confusion=tables.confusion_table(judgements, recordings, OWN),
        recordings=recordings,
        notes=[*notes, *more_notes, *(note for who in theirs for note in getattr(who, "notes", {}).values())],
    )


def read(folder: Path) -> tuple[list[Recording], list[str]]:
    """Recordings from a run's folder, or from a folder of recordings, and notes on what was left out."""
    if dataset.is_begun(folder):
        return dataset.read(folder), []
    if not folder.is_dir():
        raise RequestError(f"there is no folder {folder}")
    return recordings_of(Store(folder))


def write(scoring: Scoring, folder: Path) -> list[Path]:
    """Write score.csv, verdicts.csv, stopping.csv, confusion.csv and index.html into `folder`; the page first."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {"index.html": page(scoring.score, scoring.verdicts, scoring.stopping, scoring.confusion)}
    for name in ("score", "verdicts", "stopping", "confusion"):
        contents[f"{name}.csv"] = getattr(scoring, name).to_csv(index=False, lineterminator="\n")
    for name, text in contents.items():
        write_atomically(folder / name, text.encode("utf-8", "backslashreplace"))
    return [folder / name for name in contents]
