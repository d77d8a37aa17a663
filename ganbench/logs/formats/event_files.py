"""TensorBoard's event files, read with its own library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ...contract.errors import RequestError
from ..columns import ColumnReader
from ..log import Log, NothingToRead

MARK = "tfevents"  # in the name of every event file
AROUND_A_RECORD = 16  # bytes: its length and two checksums
VALUES = 10_000  # handed on at a time


def is_event_file(path: Path) -> bool:
    return MARK in path.name


def read_event_files(paths: Sequence[Path], name: str) -> Log:
    """The scalars of one run's event files, in the order of their names, which begin with the time of writing.

    Raises NothingToRead where there are none that are known, RequestError where TensorBoard is not installed.
    """
    gathering = ColumnReader(name, *paths)
    gathering.unit = "step"
    waiting: dict[str, tuple[list[float], list[float]]] = {}
    for path in paths:
        for tag, step, value in _scalars(path, gathering):
            gathering.rows += 1
            steps, values = waiting.setdefault(tag, ([], []))
            steps.append(float(step))
            values.append(value)
            if len(values) == VALUES:
                gathering.add(tag, np.array(steps), np.array(values))
                del waiting[tag]
    for tag, (steps, values) in waiting.items():
        gathering.add(tag, np.array(steps), np.array(values))
    if not gathering.rows and gathering.notes:
        raise NothingToRead("; ".join(gathering.notes))
    return gathering.finish()


def _scalars(path: Path, gathering: ColumnReader) -> Iterator[tuple[str, int, float]]:
    """The scalars of one file as far as it is whole: tag, step, value."""
    loader, event_pb2, make_ndarray, damaged = _library()
    if not path.stat().st_size:
        gathering.notes.append(f"{path.name} is empty")
        return
    whole = 0
    for record in loader(str(path.absolute())).Load():
        try:
            event = event_pb2.Event.FromString(record)
        except damaged:
            break
        whole += len(record) + AROUND_A_RECORD
        for value in event.summary.value:
            if gathering.wants(value.tag) and (number := _number(value, make_ndarray)) is not None:
                yield value.tag, event.step, number
    if not whole:
        gathering.notes.append(f"{path.name} holds no whole record: it is no event file, or damaged from the start")
    elif whole < path.stat().st_size:
        gathering.notes.append(f"{path.name} is cut short or damaged after byte {whole}: read up to there")


def _number(value: Any, make_ndarray: Any) -> float | None:
    """A scalar as PyTorch and TensorFlow 1 write it, or TensorFlow 2 (a tensor of one number)."""
    if value.HasField("simple_value"):
        return float(value.simple_value)
    plugin = value.metadata.plugin_data.plugin_name
    if not value.HasField("tensor") or plugin not in ("scalars", ""):
        return None
    try:
        array = make_ndarray(value.tensor)
        return float(array.reshape(-1)[0]) if array.size == 1 and array.dtype.kind in "fiu" else None
    except (TypeError, ValueError, KeyError):  # the last: a type of numbers that the reader does not know
        return None


def _library() -> tuple[Any, Any, Any, Any]:
    """TensorBoard's loader of records, its messages, its reader of tensors, and the error for a damaged message."""
    try:
        return (
            import_module("tensorboard.backend.event_processing.event_file_loader").RawEventFileLoader,
            import_module("tensorboard.compat.proto.event_pb2"),
            import_module("tensorboard.util.tensor_util").make_ndarray,
            import_module("google.protobuf.message").DecodeError,
        )
    except ImportError as error:
        raise RequestError(
            f"event files are read with TensorBoard, which is not there ({error}): pip install 'ganbench[tensorboard]'"
        ) from None
