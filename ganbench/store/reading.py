"""Reading what was stored. A file that is not as it was written is named, not guessed at."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec

from ..records import Breakdown, Finding, History, Score, Trial, TrialResult
from .writing import Facts

MOST_STEPS = 2**53  # beyond it a float counts no more


class Unreadable(Exception):
    """A stored trial that is damaged; the message names the file and what is wrong."""


@dataclass(frozen=True)
class _Facts:
    """What history.parquet says beside its columns."""

    steps: Annotated[int, msgspec.Meta(ge=1)]
    breakdown: Breakdown | None


def read_result(folder: Path) -> TrialResult:
    """A stored result without its arrays. Raises Unreadable."""
    trial = _decode(folder / "trial.json", Trial)
    facts = _decode(folder / "result.json", Facts)
    return TrialResult(
        trial=trial,
        **vars(facts),
        scores=tuple(_scores(folder / "scores.csv")),
        findings=_decode(folder / "findings.json", tuple[Finding, ...]),
    )


def read_history(folder: Path) -> History:
    """A stored history: columns of numbers, `step` among them, which never goes back.

    Raises Unreadable for one that is gone, damaged, of another program, or in which nothing was observed.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "history.parquet"
    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
        facts = _history_facts(table)
        return History(_history_columns(table), facts.steps, facts.breakdown)
    except FileNotFoundError as error:
        raise Unreadable(f"{path}: there is no such file") from error
    except (OSError, ValueError, pa.ArrowException) as error:
        raise Unreadable(f"{path}: {error}") from error


def _history_facts(table: Any) -> _Facts:
    """What is stored beside the columns. Raises ValueError where that is nothing of ganbench's."""
    stored = (table.schema.metadata or {}).get(b"ganbench")
    if stored is None:
        raise ValueError("it is no history of ganbench: its schema has no metadata 'ganbench' (steps and breakdown)")
    try:
        return msgspec.json.decode(stored, type=_Facts)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"its metadata 'ganbench' is not as it was written: {error}") from error


def _history_columns(table: Any) -> dict[str, Any]:
    """The columns by name, nulls as NaN. Raises ValueError for what no diagnosis can read."""
    import pyarrow as pa

    names = table.column_names
    if not table.num_rows:
        raise ValueError("it has no rows: nothing was observed")
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"it has several columns called {twice[0]!r}")
    if "step" not in names:
        raise ValueError(f"it has no column 'step' among its {len(names)} columns")
    for field in table.schema:
        if not (pa.types.is_integer(field.type) or pa.types.is_floating(field.type)):
            raise ValueError(f"column {field.name!r} holds no numbers but {field.type}")
    columns = {name: table.column(name).to_numpy() for name in names}
    columns["step"] = _steps(columns["step"])
    return columns


def _steps(column: Any) -> Any:
    """Steps as integers. Raises ValueError where they count nothing, or go back."""
    import numpy as np

    counts = np.isfinite(column) & (column == np.trunc(column)) & (column >= 0) & (column < MOST_STEPS)
    if not counts.all():
        raise ValueError(f"column 'step' holds {column[~counts][0]}, which is no count of steps")
    if (back := np.flatnonzero(column[1:] < column[:-1])).size:
        raise ValueError(f"column 'step' goes back from {column[back[0]]:.0f} to {column[back[0] + 1]:.0f}")
    return column.astype(np.int64, copy=False)


def _scores(path: Path) -> list[Score]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [msgspec.convert(row, Score, strict=False) for row in rows]
    except (OSError, ValueError, csv.Error) as error:
        raise Unreadable(f"{path}: {error}") from error


def _decode(path: Path, type_: Any) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes(), type=type_)
    except (OSError, msgspec.MsgspecError, RecursionError) as error:
        raise Unreadable(f"{path}: {error}") from error
