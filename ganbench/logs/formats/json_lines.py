"""One JSON object a line: StyleGAN's `training_stats.jsonl` and `metric-*.jsonl`, and what many others write."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..columns import ColumnReader, RowByRow
from ..log import Log
from ..steps import unit_of
from .text import blocks_of_lines, first_lines, number

LONGEST_NAME = 200  # characters
DEPTH = 4  # of nested objects that names are made of
SNAPSHOT = re.compile(r"(\d+)\.\w+$")  # network-snapshot-000200.pkl was taken at 200 kimg; the file is never opened


def is_json_lines(path: Path) -> bool:
    """Whether the first line is an object of its own. Raises NothingToRead for no text."""
    return any(_object(line) is not None for line in first_lines(path, 1))


def read_json_lines(paths: list[Path], name: str) -> Log:
    """One run's log from its files. Raises NothingToRead where none holds a signal that is known."""
    gathering = ColumnReader(name, *paths)
    for path in paths:
        rows, bad = RowByRow(gathering), 0
        for lines in blocks_of_lines(path):
            for line in lines:
                if (entry := _object(line)) is not None:
                    rows.add(_row(entry, gathering))
                else:
                    bad += bool(line.strip())
        rows.flush()
        if bad:
            gathering.notes.append(f"{bad} lines of {path.name} are no JSON objects (cut short?) and were left out")
    return gathering.finish()


def _object(line: str) -> dict[str, Any] | None:
    try:
        entry = msgspec.json.decode(line)
    except (msgspec.MsgspecError, RecursionError):
        entry = _with_nan(line)
    return entry if isinstance(entry, dict) else None


def _with_nan(line: str) -> Any:
    """What Python writes for numbers that are not finite is no JSON, but Python's own reader knows it."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _row(entry: Mapping[str, Any], gathering: ColumnReader) -> dict[str, float]:
    """The numbers of one line by their names, at the kimg of its snapshot where it judges one."""
    judged = entry.get("results")
    if isinstance(judged, dict):
        snapshot = SNAPSHOT.search(str(entry.get("snapshot_pkl") or ""))
        at = {"Progress/kimg": float(snapshot[1])} if snapshot else {}
        return at | dict(_numbers(judged, gathering))
    return dict(_numbers(entry, gathering))


def _numbers(entry: Mapping[str, Any], gathering: ColumnReader, above: str = "") -> Iterator[tuple[str, float]]:
    for key, value in entry.items():
        raw = above + key
        if len(raw) > LONGEST_NAME:
            continue
        if isinstance(value, dict):
            if "mean" not in value:
                if raw.count("/") < DEPTH:
                    yield from _numbers(value, gathering, f"{raw}/")
                continue
            if value.get("num") == 0:  # StyleGAN's mean of nothing is NaN, and was not logged
                continue
            value = value["mean"]
        if (unit_of(raw) or gathering.wants(raw)) and (found := _number(value)) is not None:
            yield raw, found


def _number(value: object) -> float | None:
    if type(value) is float:
        return value
    if isinstance(value, str):
        return number(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer beyond any float
        return float("inf") if value > 0 else float("-inf")
