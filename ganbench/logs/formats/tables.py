"""Delimited tables: a header and rows between commas, semicolons, tabs, bars or spaces.

One table may hold several runs, which columns such as `run`, `trial` or `seed` distinguish.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..columns import ColumnReader
from ..log import Array, Log, UnreadableLog, printable
from ..splits import counts_anywhere, is_of_others, is_of_training, is_split_column, note_on_split
from ..steps import step_unit
from .text import blocks_of_lines, first_lines, is_number_or_missing, parse_number

Rows = Sequence[Sequence[str]]
RunKey = tuple[tuple[str, str], ...]  # name and cell of each column that distinguishes runs

NAME_COLUMNS = ("trial", "run", "experiment")
LABEL_COLUMNS = ("suite", "dataset", "method", "seed")
RUN_COLUMNS = (*NAME_COLUMNS, *LABEL_COLUMNS)
MAX_RUNS = 200  # in one table
MAX_SEED_DIGITS = 15

DELIMITERS = ("\t", ";", ",", "|", None)  # None: any white space
INSPECTED_LINES = 40  # from which the delimiter and the header are inferred
MAX_CELLS = 10_000  # of a line
INSPECTED_CELLS = 500  # of a line
DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+(?:e[-+]?\d+)?", re.IGNORECASE)
MAX_PREAMBLE_LINES = 10  # above the header
LINES_PER_CHUNK = 20_000
MAX_QUOTED_LINE_CHARS = 1 << 17
TENSORBOARD_EXPORT = {"wall time", "step", "value"}  # columns of one series whose name is in the file's name
WANDB_EXTRAS = ("__MIN", "__MAX")  # columns that Weights & Biases adds to its exports


@dataclass
class Notation:
    """How a table writes numbers and rows, as far as its rows so far have shown.

    Attributes:
        decimal_commas: Whether it writes 0,5 for a half, so that 1.000 is a thousand.
        pointed: Columns with decimal points, so that 1,000 is a thousand.
        training: Whether a column says of some rows that they are of training samples.
    """

    decimal_commas: bool
    pointed: set[str] = field(default_factory=set)
    training: bool = False


def is_table(path: Path) -> bool:
    """Return whether a file looks like rows of numbers under a header. Raise UnreadableLog if it is not text."""
    lines = first_lines(path, INSPECTED_LINES)
    try:
        _find_header(lines)
    except UnreadableLog:
        return False
    return True


def read_table(path: Path, name: str) -> list[Log]:
    """Read the log of each run in a table.

    Raises:
        UnreadableLog: If the file is not a table, or no column is a known signal.
    """
    header_line, delimiter, header = _find_header(first_lines(path, INSPECTED_LINES))
    names = _series_names(header, path)
    seen = Notation(delimiter == ";" and _has_decimal_commas(first_lines(path, INSPECTED_LINES)))
    runs = RunSplitter(path, name)
    to_skip = header_line + 1
    for block in blocks_of_lines(path):
        lines = [line for line in block if line and not line.isspace()]
        skipped = min(len(lines), to_skip)
        to_skip -= skipped
        for begin in range(skipped, len(lines), LINES_PER_CHUNK):
            cells = _split_cells(lines[begin : begin + LINES_PER_CHUNK], delimiter)
            for header, rows in _split_at_headers(names, cells):
                names = header  # holds until the next header
                for reader, run_rows in runs.split(names, rows):
                    _add_rows(reader, names, run_rows, seen)
    return runs.to_logs()


class RunSplitter:
    """Splits the rows of a table by run, with a ColumnReader for each."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name
        self._readers: dict[RunKey, ColumnReader] = {}
        self._n_rows_over_limit = 0

    def split(self, header: Sequence[str], rows: Rows) -> Iterator[tuple[ColumnReader, Rows]]:
        """Yield the reader of each run and that run's rows, in their order."""
        positions = {raw.lower(): column for column, raw in reversed(list(enumerate(header)))}
        run_columns = [(name, positions[name]) for name in RUN_COLUMNS if name in positions]
        by_run: dict[RunKey, list[Sequence[str]]] = {} if run_columns else {(): list(rows)}
        for row in rows if run_columns else ():
            key = tuple((name, row[at].strip() if at < len(row) else "") for name, at in run_columns)
            by_run.setdefault(key, []).append(row)
        for key, run_rows in by_run.items():
            if key not in self._readers and len(self._readers) == MAX_RUNS:
                self._n_rows_over_limit += len(run_rows)
            elif run_rows:
                yield self._readers.setdefault(key, ColumnReader(self._run_name(key), self._path)), run_rows

    def to_logs(self) -> list[Log]:
        """Return the logs of the runs that have known signals. Raise UnreadableLog if none has."""
        logs, errors = [], []
        for key, reader in self._readers.items():
            if n := self._n_rows_over_limit:
                reader.notes.append(f"the table holds more than {MAX_RUNS} runs: {n} rows were skipped")
            reader.labels = _labels(key)
            try:
                logs.append(reader.to_log())
            except UnreadableLog as error:
                errors.append(error)
        if not logs:
            raise errors[0] if errors else UnreadableLog("it holds no rows")
        return logs

    def _run_name(self, key: RunKey) -> str:
        cells = dict(key)
        name = next((cells[column] for column in NAME_COLUMNS if cells.get(column)), None)
        labels = [cells[column] for column in LABEL_COLUMNS if cells.get(column)]
        return name or "-".join([self._name, *labels])


def _labels(key: RunKey) -> dict[str, object]:
    labels = {column: printable(cell) for column, cell in key if column in LABEL_COLUMNS}
    seed = labels.pop("seed", "")
    is_integer = seed.isascii() and seed.isdigit() and len(seed) <= MAX_SEED_DIGITS
    return {**labels, **({"seed": int(seed)} if is_integer else {})}


def _find_header(lines: Sequence[str]) -> tuple[int, str | None, list[str]]:
    """Return which line names the columns, the delimiter and the names."""
    if not lines:
        raise UnreadableLog("it holds nothing but blank lines")
    if len(lines) == 1:
        raise UnreadableLog("it holds a single line")
    for delimiter in DELIMITERS:
        rows = _split_cells(lines, delimiter)
        for at, row in enumerate(rows[: min(MAX_PREAMBLE_LINES, len(rows) - 1)]):
            below = [cells for cells in rows[at + 1 :] if len(cells) == len(row)]
            if _may_be_header(row, delimiter) and 2 * len(below) >= len(rows) - at - 1 and _mostly_numeric(below):
                return at, delimiter, [cell.strip().strip('"').lstrip("# ") for cell in row]
    if all(is_number_or_missing(cell) for cell in re.split(r"[,;\s]+", lines[0])):
        raise UnreadableLog("its first line does not name its columns; put a line such as step,loss_d,loss_g above")
    raise UnreadableLog("it is not a table of numbers under a header")


def _may_be_header(row: Sequence[str], delimiter: str | None) -> bool:
    """Return whether a row may name columns. A single name counts only if the delimiter is a comma."""
    filled = [cell.strip() for cell in row[:INSPECTED_CELLS] if cell.strip(' "#')]
    enough = len(filled) > 1 or (len(filled) == 1 and delimiter == ",")
    differ = len(set(filled)) > 1 or len(filled) == 1  # a rule such as `=== ===` names nothing
    return enough and differ and not any(parse_number(cell) is not None for cell in filled)


def _mostly_numeric(rows: Rows) -> bool:
    """Return whether some column holds numbers in most rows; a repeated header may be among them."""
    counts: Counter[int] = Counter()
    for row in rows:
        counts.update(column for column, cell in enumerate(row[:INSPECTED_CELLS]) if is_number_or_missing(cell))
    return max(counts.values(), default=0) >= max(1, len(rows) / 2)


def _series_names(header: Sequence[str], path: Path) -> list[str]:
    """Return the names of the columns; a TensorBoard export has the name of its series in the file's name."""
    if {name.lower() for name in header} == TENSORBOARD_EXPORT:
        tag = path.stem.rsplit("tag-", 1)[-1]
        return [tag if name.lower() == "value" else name for name in header]
    return list(header)


def _split_at_headers(names: list[str], rows: list[list[str]]) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Yield stretches of rows with the names of their columns: a resumed run may write a header of its own.

    A program may also write the same header above each row: then it begins nothing.
    """
    rows = [row for row in rows if row != names]
    known, begin = {*names} - {""}, 0
    for at in [at for at, row in enumerate(rows) if row and row[0] in known]:
        header = [cell.strip() for cell in rows[at]]
        if len(known.intersection(header)) > 1 or header == names:
            yield names, rows[begin:at]
            names, begin = header, at + 1
    yield names, rows[begin:]


def _split_cells(lines: Sequence[str], delimiter: str | None) -> list[list[str]]:
    if delimiter is None:
        return [line.lstrip("#").split(None, MAX_CELLS)[:MAX_CELLS] for line in lines]
    if not any('"' in line for line in lines):
        return [line.split(delimiter, MAX_CELLS)[:MAX_CELLS] for line in lines]
    # One by one, so that a stray quotation mark affects only its own line.
    return [
        next(csv.reader([line], delimiter=delimiter), [])[:MAX_CELLS] if len(line) < MAX_QUOTED_LINE_CHARS else []
        for line in lines
    ]


def _has_decimal_commas(lines: Sequence[str]) -> bool:
    """Return whether a table between semicolons writes 0,5 for a half: then 1.000 is a thousand."""
    return any(DECIMAL_COMMA.fullmatch(cell.strip(' "')) for row in _split_cells(lines, ";") for cell in row)


def _add_rows(reader: ColumnReader, names: Sequence[str], rows: Rows, seen: Notation) -> None:
    """Hand rows on as columns of numbers; of several columns with one name the first is read."""
    reader.note_duplicate_columns(names)
    columns: dict[str, tuple[Array, Array]] = {}
    shortest = min(map(len, rows))
    held_out = _rows_of_others(reader, names, rows, seen)
    for column, raw in enumerate(names):
        if not raw or raw in columns or raw.endswith(WANDB_EXTRAS) or raw.lower() in RUN_COLUMNS:
            continue
        if step_unit(raw) or reader.wants(raw):
            if column < shortest:
                cells = [row[column] for row in rows]
            else:
                cells = [row[column] if column < len(row) else "" for row in rows]
            if held_out and not counts_anywhere(raw):
                cells = ["" if at in held_out else cell for at, cell in enumerate(cells)]
            columns[raw], n_bad = _parse_column(raw, cells, seen)
            reader.n_not_numbers += n_bad
    reader.add_rows(len(rows), columns, names)


def _rows_of_others(reader: ColumnReader, names: Sequence[str], rows: Rows, seen: Notation) -> frozenset[int]:
    """Return which rows are of validation or test samples, if others are of training; empty if none are."""
    for column, raw in enumerate(names):
        if not is_split_column(raw):
            continue
        cells = [row[column] if column < len(row) else "" for row in rows]
        others = frozenset(at for at, cell in enumerate(cells) if is_of_others(cell))
        seen.training = seen.training or any(map(is_of_training, cells))
        if others and seen.training:
            if (note := note_on_split(raw)) not in reader.notes:
                reader.notes.append(note)
            return others
    return frozenset()


def _parse_column(raw: str, cells: Sequence[str], seen: Notation) -> tuple[tuple[Array, Array], int]:
    """Return positions and values of what was logged in a column, and the number of cells that are not numbers."""
    if raw not in seen.pointed and any("." in cell and "," not in cell for cell in cells):
        seen.pointed.add(raw)
    if not seen.decimal_commas:
        try:
            return (np.arange(len(cells)), np.fromiter(map(float, cells), float, len(cells))), 0
        except ValueError:
            pass
    thousands = "." if seen.decimal_commas else "," if raw in seen.pointed or step_unit(raw) else ""
    numbers: Iterable[float | None] = (parse_number(cell, thousands) for cell in cells)
    logged = [(position, value) for position, value in enumerate(numbers) if value is not None]
    n_bad = sum(not is_number_or_missing(cell) for cell in cells) if len(logged) < len(cells) else 0
    pairs = np.array(logged, dtype=float).reshape(-1, 2)
    return (pairs[:, 0].astype(int), pairs[:, 1]), n_bad
