"""TensorBoard event files, read with TensorBoard's own library."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ...contract.errors import RequestError
from ..columns import ColumnReader
from ..log import Log, UnreadableLog
from .json_lines import read_snapshot_scores

FILE_NAME_MARK = "tfevents"
RECORD_OVERHEAD_BYTES = 16  # a record's length and two checksums
VALUES_PER_CHUNK = 10_000


def is_event_file(path: Path) -> bool:
    """Return whether a file is named as event files are."""
    return FILE_NAME_MARK in path.name


def read_event_files(paths: Sequence[Path], name: str, metrics: Sequence[Path] = ()) -> Log:
    """Read the scalars of one run's event files.

    Args:
        paths: The files in the order of their names, which begin with the time of writing.
        name: Name of the run.
        metrics: StyleGAN's scores of snapshots beside them, whose kimg are the steps of its event files.

    Raises:
        UnreadableLog: If no scalar is a known signal.
        RequestError: If TensorBoard is not installed.
    """
    reader = ColumnReader(name, *paths)
    reader.unit = "step"
    pending: dict[str, tuple[list[float], list[float]]] = {}
    for path in paths:
        for tag, step, value in _scalars(path, reader):
            reader.rows += 1
            steps, values = pending.setdefault(tag, ([], []))
            steps.append(float(step))
            values.append(value)
            if len(values) == VALUES_PER_CHUNK:
                reader.add_values(tag, np.array(steps), np.array(values))
                del pending[tag]
    for tag, (steps, values) in pending.items():
        reader.add_values(tag, np.array(steps), np.array(values))
    for path in metrics:
        for raw, kimg, score in read_snapshot_scores(path):
            if reader.wants(raw):
                reader.add_values(raw, np.array([kimg]), np.array([score]))
    if not reader.rows and reader.notes:
        raise UnreadableLog("; ".join(reader.notes))
    return reader.to_log()


def _scalars(path: Path, reader: ColumnReader) -> Iterator[tuple[str, int, float]]:
    """Yield tag, step and value of the scalars in a file, up to its last intact record."""
    loader, event_pb2, make_ndarray, decode_error = _import_tensorboard()
    if not path.stat().st_size:
        reader.notes.append(f"{path.name} is empty")
        return
    intact_bytes = 0
    for record in _records(loader(str(path.absolute()))):
        try:
            event = event_pb2.Event.FromString(record)
        except decode_error:
            break
        intact_bytes += len(record) + RECORD_OVERHEAD_BYTES
        for value in event.summary.value:
            if reader.wants(value.tag) and (scalar := _to_float(value, make_ndarray)) is not None:
                yield value.tag, event.step, scalar
    if not intact_bytes:
        reader.notes.append(f"{path.name} holds no intact record: it is not an event file, or damaged from the start")
    elif intact_bytes < path.stat().st_size:
        reader.notes.append(f"{path.name} is truncated or damaged after byte {intact_bytes}: read up to there")


def _records(loader: Any) -> Iterator[bytes]:
    """Yield the records of a file up to the first that is damaged, were it only in its length."""
    with contextlib.suppress(MemoryError, OverflowError):
        yield from loader.Load()


def _to_float(value: Any, make_ndarray: Any) -> float | None:
    """Return a scalar as PyTorch and TensorFlow 1 write it, or TensorFlow 2 (a tensor of one number)."""
    if value.HasField("simple_value"):
        return float(value.simple_value)
    plugin = value.metadata.plugin_data.plugin_name
    if not value.HasField("tensor") or plugin not in ("scalars", ""):
        return None
    if any(dim.size != 1 for dim in value.tensor.tensor_shape.dim):  # a few bytes may stand for a billion equal numbers
        return None
    try:
        array = make_ndarray(value.tensor)
        return float(array.reshape(-1)[0]) if array.size == 1 and array.dtype.kind in "fiu" else None
    except (TypeError, ValueError, KeyError):  # KeyError: a dtype that TensorBoard does not know
        return None


def _import_tensorboard() -> tuple[Any, Any, Any, Any]:
    """Return TensorBoard's record loader, event messages and tensor decoder, and protobuf's decoding error."""
    try:
        return (
            import_module("tensorboard.backend.event_processing.event_file_loader").RawEventFileLoader,
            import_module("tensorboard.compat.proto.event_pb2"),
            import_module("tensorboard.util.tensor_util").make_ndarray,
            import_module("google.protobuf.message").DecodeError,
        )
    except ImportError as error:
        raise RequestError(
            f"reading event files needs TensorBoard, which is not installed ({error}): "
            "pip install 'ganbench[tensorboard]'"
        ) from None
