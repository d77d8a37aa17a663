"""Parquet: histories stored by ganbench, and any table with named columns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...contract.records import History, Trial
from ...results.trial_files import UnreadableTrial, read_history, read_result
from ..columns import ColumnReader
from ..log import Array, Log, UnreadableLog

HISTORY_FILE = "history.parquet"
MAGIC = b"PAR1"
ROWS_PER_BATCH = 20_000


@dataclass(frozen=True)
class StoredHistory:
    """A history stored by ganbench, and its trial if that is stored beside it."""

    name: str
    history: History
    trial: Trial | None


def is_parquet(path: Path) -> bool:
    """Return whether a file begins as Parquet files do."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read_stored_history(path: Path, name: str) -> StoredHistory:
    """Read a `history.parquet`. Raise UnreadableLog if it is damaged or was not written by ganbench."""
    try:
        history = read_history(path.parent)
    except UnreadableTrial as error:
        raise UnreadableLog(str(error).removeprefix(f"{path}: ")) from None
    try:
        trial = read_result(path.parent).trial
    except UnreadableTrial:
        trial = None
    return StoredHistory(trial.id if trial else name, history, trial)


def read_parquet(path: Path, name: str) -> Log:
    """Read the numeric columns of a table; nulls were not logged. Raise UnreadableLog if none is a known signal."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    reader = ColumnReader(name, path)
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=ROWS_PER_BATCH):
                names = batch.schema.names
                reader.note_duplicate_columns(names)
                columns = {raw: _numbers(batch.column(names.index(raw))) for raw in names}
                numeric = {raw: column for raw, column in columns.items() if column is not None}
                reader.add_rows(batch.num_rows, numeric, numeric)
    except (OSError, pa.ArrowException) as error:
        raise UnreadableLog(f"it cannot be read as Parquet: {error}") from None
    return reader.to_log()


def _numbers(column: object) -> tuple[Array, Array] | None:
    """Return positions and values of what is not null, None for a column that is not numeric."""
    import pyarrow as pa
    import pyarrow.compute as pc

    assert isinstance(column, pa.Array)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return None
    valid = np.flatnonzero(pc.is_valid(column).to_numpy(zero_copy_only=False))
    return valid, pc.drop_null(column).to_numpy(zero_copy_only=False).astype(float)
