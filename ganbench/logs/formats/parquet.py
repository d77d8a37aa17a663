"""Parquet: histories stored by ganbench, and any table with named columns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
            reader.note_duplicate_columns(file.schema_arrow.names)
            # Others, such as pictures, would take memory for nothing.
            wanted = [column.name for column in file.schema_arrow if _is_number(column.type)]
            for batch in file.iter_batches(batch_size=ROWS_PER_BATCH, columns=list(dict.fromkeys(wanted))):
                names = batch.schema.names
                columns = {raw: batch.column(names.index(raw)) for raw in names}
                numeric = {raw: _numbers(column) for raw, column in columns.items() if _is_number(column.type)}
                reader.add_rows(batch.num_rows, numeric, numeric)
    except (OSError, pa.ArrowException) as error:
        raise UnreadableLog(f"it cannot be read as Parquet: {error}") from None
    return reader.to_log()


def _is_number(type_: object) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_))


def _numbers(column: Any) -> tuple[Array, Array]:
    """Return positions and values of what is not null in a numeric column."""
    import pyarrow.compute as pc

    valid = np.flatnonzero(pc.is_valid(column).to_numpy(zero_copy_only=False))
    return valid, pc.drop_null(column).to_numpy(zero_copy_only=False).astype(float)
