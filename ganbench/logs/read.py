"""From a path to what can be read there: one log a run, whatever the formats."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ..contract.errors import RequestError
from .formats.event_files import is_event_file, read_event_files
from .formats.json_lines import is_json_lines, read_json_lines
from .formats.parquet import HISTORY, Recording, is_parquet, read_parquet, read_recording
from .formats.patterns import EXAMPLE, read_with_patterns
from .formats.tables import is_table, read_table
from .log import Log, NothingToRead

MOST_FILES = 20_000  # looked at in a folder
FORMATS = "CSV, JSON lines, TensorBoard event files, history.parquet, or text with --pattern"
TABLES, TEXTS = frozenset({".csv", ".tsv"}), frozenset({".log", ".txt", ".out"})
Patterns = Sequence[re.Pattern[str]]
Read = Log | list[Log] | Recording
Reader = Callable[[], Read]


@dataclass
class Found:
    """What was read, and the files that could not be, each with the reason."""

    logs: list[Log] = field(default_factory=list)
    recordings: list[Recording] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def add(self, read_logs: Read) -> None:
        if isinstance(read_logs, Recording):
            self.recordings.append(read_logs)
        else:
            self.logs += [read_logs] if isinstance(read_logs, Log) else read_logs


def read_logs(path: Path, patterns: Patterns = ()) -> Found:
    """The logs in a file, or in a folder and those below it.

    Raises RequestError, in one line, where nothing can be read.
    """
    found = Found()
    try:
        if path.is_dir():
            _read_folder(path, patterns, found)
        elif path.is_file():
            found.add(_of_file(path, path.stem, patterns))
        else:
            what = "is neither a file nor a folder" if path.exists() else "is not there"
            raise RequestError(f"{path} {what}; give a run's folder, or a log ({FORMATS})")
    except (NothingToRead, OSError) as error:
        raise RequestError(f"{path}: {_reason(error)}") from None
    return found


def _of_file(path: Path, name: str, patterns: Patterns) -> Read:
    if is_event_file(path):
        return read_event_files([path], name)
    if is_parquet(path):
        return read_recording(path, name) if path.name == HISTORY else read_parquet(path, name)
    if patterns:
        return read_with_patterns(path, name, patterns)
    if is_json_lines(path):
        return read_json_lines([path], name)
    if path.suffix.lower() == ".json":
        raise NothingToRead("it is not one JSON object a line, which is what ganbench reads of JSON")
    if is_table(path) or path.suffix.lower() in TABLES:
        return read_table(path, name)
    raise NothingToRead(f"neither a table nor JSON lines; a plain text is read with a pattern, as in {EXAMPLE}")


def _read_folder(root: Path, patterns: Patterns, found: Found) -> None:
    folders: dict[Path, list[Path]] = {}
    for file in _log_files(root, found):
        folders.setdefault(file.parent, []).append(file)
    for place, reader in [reader for files in folders.values() for reader in _readers(root, files, patterns, found)]:
        try:
            found.add(reader())
        except (NothingToRead, RequestError, OSError) as error:  # one file costs no other
            found.left_out.append(f"{place}: {_reason(error)}")
    if not found.logs and not found.recordings:
        why = f": {'; '.join(found.left_out[:3])}" if found.left_out else f" ({FORMATS})"
        raise RequestError(f"{root} holds no run: there is no suite.json in it, and no log that can be read{why}")


def _readers(root: Path, files: list[Path], patterns: Patterns, found: Found) -> Iterator[tuple[Path, Reader]]:
    """What reads the files of one folder: those that make up one run together, the others one by one."""
    folder = files[0].parent
    name = str(folder.relative_to(root)) if folder != root else root.resolve().name
    stylegan = [f for f in files if f.name == "training_stats.jsonl" or re.fullmatch(r"metric-.*\.jsonl", f.name)]
    events = [file for file in files if is_event_file(file)]
    if stylegan:
        yield folder, partial(read_json_lines, sorted(stylegan, key=lambda file: file.name[0] != "t"), name)
    if events:
        if folder / "training_stats.jsonl" in stylegan:
            found.left_out.append(f"{folder}: {len(events)} event files say what training_stats.jsonl says")
        else:
            yield folder, partial(read_event_files, events, name)
    readable = {*TABLES, ".jsonl", *(TEXTS if patterns else ())}
    for file in files:
        if file in stylegan or file in events:
            continue
        if file.name == HISTORY:
            yield file, partial(_of_file, file, name, ())
        elif file.suffix.lower() in readable:
            given = patterns if file.suffix.lower() in TEXTS else ()
            yield file, partial(_of_file, file, str(file.relative_to(root).with_suffix("")), given)


def _log_files(root: Path, found: Found) -> Iterator[Path]:
    """The files of a folder and those below, by name; none that are hidden, and no more than there can be."""
    n = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            n += 1
            if n > MOST_FILES:
                found.left_out.append(f"{root}: more than {MOST_FILES} files; give a folder further down")
                return
            if (file := Path(folder, name)).is_file():  # a pipe would be waited on for ever
                yield file


def _reason(error: Exception) -> str:
    """In one line, whatever a library has to say."""
    text = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    return " ".join(text.split())
