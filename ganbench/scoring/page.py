"""A scoring as one web page that needs nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

PARTS = ("held-out", "development")  # what counts first


def page(score: pd.DataFrame, verdicts: pd.DataFrame, stopping: pd.DataFrame, confusion: pd.DataFrame) -> str:
    """The page as HTML."""
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
    """By part and horizon: a line for each failure and diagnoser, its AUROC at each fraction, the best one marked."""
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
    """By part: what findings at the end are worth."""
    rows = score[(score["fraction"] == 1.0) & (score["horizon"] == "now")]
    return {part: mine.to_dict("records") for part, mine in rows.groupby("part", sort=False)}


def _wide(verdicts: pd.DataFrame) -> list[dict[Any, Any]]:
    """A line for each diagnoser and part, its F1 by verdict."""
    wide = verdicts.pivot_table(index=["diagnoser", "part"], columns="verdict", values="f1", sort=False, dropna=False)
    return wide.reset_index().to_dict("records")


def _number(value: Any, digits: int = 2) -> str:
    return "–" if value is None or pd.isna(value) else f"{value:.{digits}f}"
