"""JSON lines, one object a line, such as StyleGAN's `training_stats.jsonl` and `metric-*.jsonl`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..columns import ColumnReader, RowBuffer
from ..log import Log
from ..splits import counts_anywhere, is_of_others, is_of_training, is_split_column, note_on_split
from ..steps import step_unit
from .text import blocks_of_lines, first_lines, parse_number

INSPECTED_LINES = 5
LINES_TO_TELL_SPLITS = 2_000
MAX_KEY_CHARS = 200
MAX_DEPTH = 4  # of nested objects
SNAPSHOT = re.compile(r"(\d+)\.\w+$")  # network-snapshot-000200.pkl is from 200 kimg; the file itself is never opened


def is_json_lines(path: Path) -> bool:
    """Return whether the first line is a JSON object. Raise UnreadableLog if the file is not text."""
    return any(_parse_object(line) is not None for line in first_lines(path, 1))


def is_stylegan_stats(path: Path) -> bool:
    """Return whether the first lines hold StyleGAN's statistics: a mean for each `Loss/...`, `Progress/...` and so on."""
    entries = [entry for line in first_lines(path, INSPECTED_LINES) if (entry := _parse_object(line))]
    return any(
        key.startswith(("Loss/", "Progress/")) and isinstance(value, dict) and "mean" in value
        for entry in entries
        for key, value in entry.items()
    )


def read_json_lines(paths: list[Path], name: str) -> Log:
    """Read one run's log from its files.

    Raises:
        UnreadableLog: If none of them holds a known signal.
    """
    reader = ColumnReader(name, *paths)
    for path in paths:
        rows, n_bad = RowBuffer(reader), 0
        split = _split_column(path)
        if split:
            reader.notes.append(note_on_split(split))
        for lines in blocks_of_lines(path):
            for line in lines:
                if (entry := _parse_object(line)) is not None:
                    row = _parse_row(entry, reader)
                    if split and is_of_others(entry.get(split)):
                        row = {raw: value for raw, value in row.items() if counts_anywhere(raw)}
                    rows.add(row)
                else:
                    n_bad += bool(line.strip())
        rows.flush()
        if n_bad:
            reader.notes.append(f"{n_bad} lines of {path.name} are not JSON objects (truncated?) and were skipped")
    return reader.to_log()


def read_snapshot_scores(path: Path) -> Iterator[tuple[str, float, float]]:
    """Yield name, kimg and value of each score in one of StyleGAN's `metric-*.jsonl`."""
    for lines in blocks_of_lines(path):
        for line in lines:
            entry = _parse_object(line) or {}
            snapshot = SNAPSHOT.search(str(entry.get("snapshot_pkl") or ""))
            if snapshot and isinstance(entry.get("results"), dict):
                for name, value in entry["results"].items():
                    if (number := _to_float(value)) is not None and len(name) <= MAX_KEY_CHARS:
                        yield name, float(snapshot[1]), number


def _split_column(path: Path) -> str | None:
    """Return the key that says of some lines that they are of training samples and of others that they are not."""
    entries = [entry for line in first_lines(path, LINES_TO_TELL_SPLITS) if (entry := _parse_object(line))]
    for key in {key for entry in entries for key in entry if is_split_column(key)}:
        said = [entry.get(key) for entry in entries]
        if any(map(is_of_training, said)) and any(map(is_of_others, said)):
            return key
    return None


def _parse_object(line: str) -> dict[str, Any] | None:
    try:
        entry = msgspec.json.decode(line)
    except (msgspec.MsgspecError, RecursionError):
        entry = _parse_with_nan(line)
    return entry if isinstance(entry, dict) else None


def _parse_with_nan(line: str) -> Any:
    """Parse JSON with Python's NaN and Infinity, which are not standard JSON."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _parse_row(entry: Mapping[str, Any], reader: ColumnReader) -> dict[str, float]:
    """Return the numbers of one line by name; a score of a StyleGAN snapshot gets that snapshot's kimg."""
    scores = entry.get("results")
    if isinstance(scores, dict):
        snapshot = SNAPSHOT.search(str(entry.get("snapshot_pkl") or ""))
        step = {"Progress/kimg": float(snapshot[1])} if snapshot else {}
        return step | dict(_numbers(scores, reader))
    return dict(_numbers(entry, reader))


def _numbers(entry: Mapping[str, Any], reader: ColumnReader, prefix: str = "") -> Iterator[tuple[str, float]]:
    for key, value in entry.items():
        raw = prefix + key
        if len(raw) > MAX_KEY_CHARS:
            continue
        if isinstance(value, dict):
            if "mean" not in value:
                if raw.count("/") < MAX_DEPTH:
                    yield from _numbers(value, reader, f"{raw}/")
                continue
            if value.get("num") == 0:  # StyleGAN's mean of no values is NaN: nothing was logged
                continue
            value = value["mean"]
        is_count = step_unit(raw) is not None
        if (is_count or reader.wants(raw)) and (number := _to_float(value, "," if is_count else "")) is not None:
            yield raw, number


def _to_float(value: object, thousands: str = "") -> float | None:
    if type(value) is float:
        return value
    if isinstance(value, str):
        return parse_number(value, thousands)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer too large for a float
        return float("inf") if value > 0 else float("-inf")
