"""Parquet: the histories that ganbench itself stores, and any table with named columns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...contract.records import History, Trial
from ...results.trial_files import Unreadable, read_history, read_result
from ..columns import ColumnReader
from ..log import Array, Log, NothingToRead

HISTORY = "history.parquet"
MAGIC = b"PAR1"


@dataclass(frozen=True)
class Recording:
    """A stored history, and whose it is where that is stored beside it."""

    name: str
    history: History
    trial: Trial | None


def is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read_recording(path: Path, name: str) -> Recording:
    """A `history.parquet`. Raises NothingToRead where it is damaged or not ganbench's."""
    try:
        history = read_history(path.parent)
    except Unreadable as error:
        raise NothingToRead(str(error).removeprefix(f"{path}: ")) from None
    try:
        trial = read_result(path.parent).trial
    except Unreadable:
        trial = None
    return Recording(trial.id if trial else name, history, trial)


def read_parquet(path: Path, name: str) -> Log:
    """The numeric columns of a table, nulls as not logged. Raises NothingToRead."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    gathering = ColumnReader(name, path)
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=20_000):
                names = batch.schema.names
                gathering.tell_twins(names)
                columns = {raw: _numbers(batch.column(names.index(raw))) for raw in names}
                kept = {raw: column for raw, column in columns.items() if column is not None}
                gathering.add_rows(batch.num_rows, kept, kept)
    except (OSError, pa.ArrowException) as error:
        raise NothingToRead(f"it cannot be read as Parquet: {error}") from None
    return gathering.finish()


def _numbers(column: object) -> tuple[Array, Array] | None:
    """The positions and values of what is not null; None for a column that holds no numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    assert isinstance(column, pa.Array)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return None
    valid = np.flatnonzero(pc.is_valid(column).to_numpy(zero_copy_only=False))
    return valid, pc.drop_null(column).to_numpy(zero_copy_only=False).astype(float)
