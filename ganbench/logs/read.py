"""Read all logs in a file or folder, whatever their formats: one log for each run."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ..contract.errors import RequestError
from .formats.consoles import find_console, read_console
from .formats.event_files import is_event_file, read_event_files
from .formats.json_lines import is_json_lines, is_stylegan_stats, read_json_lines
from .formats.parquet import HISTORY_FILE, StoredHistory, is_parquet, read_parquet, read_stored_history
from .formats.patterns import EXAMPLE, read_with_patterns
from .formats.tables import is_table, read_table
from .log import Log, UnreadableLog

Patterns = Sequence[re.Pattern[str]]
Content = Log | list[Log] | StoredHistory
Reader = Callable[[], Content]

MAX_FILES = 20_000  # in a folder
MAX_REASONS_SHOWN = 3
FORMATS = "CSV, JSON lines, TensorBoard event files, history.parquet, a program's console, or text with --pattern"
TABLE_SUFFIXES = frozenset({".csv", ".tsv"})
TEXT_SUFFIXES = frozenset({".log", ".txt", ".out"})
STYLEGAN_STATS = ("stats.jsonl", "training_stats.jsonl")  # the first that a folder has is its run's
STYLEGAN_METRICS = re.compile(r"metric-.*\.jsonl")


@dataclass
class ReadLogs:
    """What was read in a file or folder.

    Attributes:
        logs: Logs of other programs, one for each run.
        histories: Histories stored by ganbench.
        skipped: `"PATH: reason"` for each file that could not be read.
    """

    logs: list[Log] = field(default_factory=list)
    histories: list[StoredHistory] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def add(self, content: Content) -> None:
        """Add what was read in a file."""
        if isinstance(content, StoredHistory):
            self.histories.append(content)
        else:
            self.logs += [content] if isinstance(content, Log) else content


def read_logs(path: Path, patterns: Patterns = ()) -> ReadLogs:
    r"""Read the logs in a file, or in a folder and its subfolders.

    Args:
        path: A file or folder.
        patterns: How to read plain text, see `compile_patterns`.

    Raises:
        RequestError: If nothing can be read; the message is one line.

    Example:
        >>> read_logs(Path("train.log"), compile_patterns([r"step (?P<step>\d+): D (?P<loss_d>\S+)"])).logs
    """
    read = ReadLogs()
    try:
        if path.is_dir():
            _read_folder(path, patterns, read)
        elif path.is_file():
            read.add(_read_file(path, path.stem, patterns))
        else:
            what = "is neither a file nor a folder" if path.exists() else "does not exist"
            raise RequestError(f"{path} {what}; give a run's folder, or a log ({FORMATS})")
    except (UnreadableLog, OSError) as error:
        raise RequestError(f"{path}: {_reason(error)}") from None
    return read


def _read_file(path: Path, name: str, patterns: Patterns) -> Content:
    if is_event_file(path):
        return read_event_files([path], name)
    if is_parquet(path):
        return read_stored_history(path, name) if path.name == HISTORY_FILE else read_parquet(path, name)
    if patterns:
        return read_with_patterns(path, name, patterns)
    if is_json_lines(path):
        return read_json_lines(_stylegan_files(path), name)
    if path.suffix.lower() == ".json":
        raise UnreadableLog("it does not hold one JSON object a line, the only JSON that ganbench reads")
    if path.suffix.lower() in TABLE_SUFFIXES:
        return read_table(path, name)
    if console := find_console(path):
        return read_console(path, name, console)
    if is_table(path):
        return read_table(path, name)
    raise UnreadableLog(
        f"no table, no JSON lines, and of no program whose console ganbench knows; other plain text is read with a pattern, as in {EXAMPLE}"
    )


def _read_folder(root: Path, patterns: Patterns, read: ReadLogs) -> None:
    folders: dict[Path, list[Path]] = {}
    for file in _visible_files(root, read):
        folders.setdefault(file.parent, []).append(file)
    for path, reader in [pair for files in folders.values() for pair in _readers(root, files, patterns, read)]:
        try:
            read.add(reader())
        except (UnreadableLog, RequestError, OSError) as error:  # an unreadable file does not affect the others
            read.skipped.append(f"{path}: {_reason(error)}")
    if not read.logs and not read.histories:
        why = f": {'; '.join(read.skipped[:MAX_REASONS_SHOWN])}" if read.skipped else f" ({FORMATS})"
        raise RequestError(f"{root} holds no run: there is no suite.json in it, and no readable log{why}")


def _readers(root: Path, files: list[Path], patterns: Patterns, read: ReadLogs) -> Iterator[tuple[Path, Reader]]:
    """Yield a reader for the files of one folder that make up one run together, and one for each other file."""
    folder = files[0].parent
    name = str(folder.relative_to(root)) if folder != root else root.resolve().name
    stats = [file for wanted in STYLEGAN_STATS for file in files if file.name == wanted and _is_stylegan(file)]
    metrics = [file for file in files if STYLEGAN_METRICS.fullmatch(file.name)]
    events = [file for file in files if is_event_file(file)]
    stylegan = [*stats, *metrics]
    if stylegan and (stats or not events):
        yield folder, partial(read_json_lines, [*stats[:1], *metrics], name)
    if len(stats) > 1:
        read.skipped.append(f"{stats[1]}: it repeats what {stats[0].name} holds")
    if events:
        if stats:
            read.skipped.append(f"{folder}: {len(events)} event files repeat what {stats[0].name} holds")
        else:
            yield folder, partial(read_event_files, events, name, metrics)
    readable = {*TABLE_SUFFIXES, ".jsonl"}
    for file in files:
        if file in stylegan or file in events:
            continue
        if file.name == HISTORY_FILE:
            yield file, partial(_read_file, file, name, ())
        elif (suffix := file.suffix.lower()) in readable or (
            suffix in TEXT_SUFFIXES and (patterns or _is_console(file))
        ):
            run_name = str(file.relative_to(root).with_suffix(""))
            yield file, partial(_read_file, file, run_name, patterns if suffix in TEXT_SUFFIXES else ())


def _is_console(path: Path) -> bool:
    """Return whether a text is a program's console; whatever else lies in a folder is none of a log's business."""
    try:
        return find_console(path) is not None
    except (UnreadableLog, OSError):
        return False


def _is_stylegan(path: Path) -> bool:
    """Return whether a file holds the statistics of StyleGAN's training loop, whose names other programs use too."""
    try:
        return is_stylegan_stats(path)
    except (UnreadableLog, OSError):
        return False


def _stylegan_files(path: Path) -> list[Path]:
    """Return a file of JSON lines and, if it is a StyleGAN run's statistics, the scores that lie beside it."""
    if path.name not in STYLEGAN_STATS or not _is_stylegan(path):
        return [path]
    return [path, *sorted(file for file in path.parent.iterdir() if STYLEGAN_METRICS.fullmatch(file.name))]


def _visible_files(root: Path, read: ReadLogs) -> Iterator[Path]:
    """Yield up to `MAX_FILES` regular files of a folder and its subfolders in the order of their names."""
    n = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            n += 1
            if n > MAX_FILES:
                read.skipped.append(f"{root}: more than {MAX_FILES} files; give a subfolder")
                return
            if (file := Path(folder, name)).is_file():  # reading a named pipe would block
                yield file


def _reason(error: Exception) -> str:
    """Return an error's message on one line."""
    text = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    return " ".join(text.split())
