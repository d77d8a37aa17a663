"""`ganbench score`: recordings in, tables and a web page that needs nothing else out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from ...contract.errors import RequestError
from ...contract.files import write_atomically
from ...registry.registry import Registry
from ...results.store import Store
from . import dataset, tables
from .diagnosers import OWN, diagnosers
from .evaluate import evaluate
from .recordings import Recording, read_recordings

PARTS = ("held-out", "development")  # in the order of importance


def score_page(score: pd.DataFrame, verdicts: pd.DataFrame, stopping: pd.DataFrame, confusion: pd.DataFrame) -> str:
    """Return the page as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = _number
    return environment.get_template("page.html.jinja").render(
        parts=[part for part in PARTS if part in set(score["part"])],
        aurocs=_aurocs(score),
        fractions=sorted(score["fraction"].unique()),
        final=_final(score),
        verdicts=_wide(verdicts),
        stopping=stopping.to_dict("records"),
        confusion=confusion.to_dict("records"),
        labels=list(confusion.columns[1:]),
    )


def _aurocs(score: pd.DataFrame) -> dict[Any, list[dict[str, Any]]]:
    """By part and horizon, a line for each failure and diagnoser: its AUROC at each fraction, the best marked."""
    lines: dict[Any, list[dict[str, Any]]] = {}
    for (part, horizon, diagnosis), rows in score.groupby(["part", "horizon", "diagnosis"], sort=False):
        best = rows.groupby("fraction")["auroc"].transform("max")
        for diagnoser, mine in rows.assign(best=rows["auroc"] >= best).groupby("diagnoser", sort=False):
            lines.setdefault((part, horizon), []).append(
                {
                    "diagnosis": diagnosis,
                    "diagnoser": diagnoser,
                    "cells": {row["fraction"]: row for row in mine.to_dict("records")},
                }
            )
    return lines


def _final(score: pd.DataFrame) -> dict[Any, Any]:
    """Figures of the findings at the end of the budget, by part."""
    rows = score[(score["fraction"] == 1.0) & (score["horizon"] == "now")]
    return {part: mine.to_dict("records") for part, mine in rows.groupby("part", sort=False)}


def _wide(verdicts: pd.DataFrame) -> list[dict[Any, Any]]:
    """A line for each diagnoser and part, its F1 by verdict."""
    wide = verdicts.pivot_table(index=["diagnoser", "part"], columns="verdict", values="f1", sort=False, dropna=False)
    return wide.reset_index().to_dict("records")


def _number(value: Any, digits: int = 2) -> str:
    return "–" if value is None or pd.isna(value) else f"{value:.{digits}f}"


@dataclass(frozen=True)
class Scoring:
    """The tables of a scoring (see `tables`), the recordings that they summarize, and what was left out."""

    score: pd.DataFrame
    verdicts: pd.DataFrame
    stopping: pd.DataFrame
    confusion: pd.DataFrame
    recordings: Sequence[Recording]
    notes: Sequence[str]


def score(folder: Path, registry: Registry, more: Sequence[Path] = ()) -> Scoring:
    """Score every diagnosis of the registry on the run, or on the recordings, in `folder` and in `more`, as one.

    Raises RequestError if there is neither, no trial has a ground truth, or a run is in two of them.
    """
    recordings, notes = read(folder)
    for other in more:
        theirs, their_notes = read(other)
        known = {recording.run for recording in recordings}
        if twice := [recording.run for recording in theirs if recording.run in known]:
            raise RequestError(f"{other}: run {twice[0]!r} is in another of the folders, too; name each run once")
        recordings, notes = [*recordings, *theirs], [*notes, *their_notes]
    scored, more_notes = diagnosers(registry)
    predictions = evaluate(recordings, scored)
    return Scoring(
        score=tables.score_table(predictions),
        verdicts=tables.verdict_table(predictions),
        stopping=tables.stopping_table(predictions),
        confusion=tables.confusion_table(predictions, recordings, OWN),
        recordings=recordings,
        notes=[*notes, *more_notes, *(note for who in scored for note in getattr(who, "notes", {}).values())],
    )


def read(folder: Path) -> tuple[list[Recording], list[str]]:
    """Return recordings, from a run's folder or from one of recordings, and notes on what was left out."""
    if dataset.is_begun(folder):
        return dataset.read(folder), []
    if not folder.is_dir():
        raise RequestError(f"there is no folder {folder}")
    return read_recordings(Store(folder))


def write(scoring: Scoring, folder: Path) -> list[Path]:
    """Write score.csv, verdicts.csv, stopping.csv, confusion.csv and index.html into `folder`; the page first."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {"index.html": score_page(scoring.score, scoring.verdicts, scoring.stopping, scoring.confusion)}
    for name in ("score", "verdicts", "stopping", "confusion"):
        contents[f"{name}.csv"] = getattr(scoring, name).to_csv(index=False, lineterminator="\n")
    for name, text in contents.items():
        write_atomically(folder / name, text.encode("utf-8", "backslashreplace"))
    return [folder / name for name in contents]
