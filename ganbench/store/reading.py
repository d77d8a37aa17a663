"""Reading what was stored. A file that is not as it was written is named, not guessed at."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ..records import Breakdown, Finding, History, Score, Trial, TrialResult
from .writing import Facts


class Unreadable(Exception):
    """A stored trial that is damaged; the message names the file and what is wrong."""


@dataclass(frozen=True)
class _Facts:
    """What history.parquet says beside its columns."""

    steps: int
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
    """A stored history. Raises Unreadable."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "history.parquet"
    try:
        table = pq.read_table(path)
        facts = msgspec.json.decode((table.schema.metadata or {})[b"ganbench"], type=_Facts)
        columns = {name: table.column(name).to_numpy() for name in table.column_names}
    except FileNotFoundError as error:
        raise Unreadable(f"{path}: there is no such file") from error
    except (OSError, KeyError, pa.ArrowException, msgspec.MsgspecError) as error:
        raise Unreadable(f"{path}: {error}") from error
    return History(columns, facts.steps, facts.breakdown)


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
    except (OSError, msgspec.MsgspecError) as error:
        raise Unreadable(f"{path}: {error}") from error
