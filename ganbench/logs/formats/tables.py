"""The runs that share one table, told apart by columns such as `run`, `trial` or `seed`.

CSV and its kin: a header and rows, between commas, semicolons, tabs, bars or spaces.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ..columns import ColumnReader
from ..log import Array, Log, NothingToRead, printable
from ..steps import unit_of
from .text import blocks_of_lines, first_lines, is_number, number

PLACES = ("suite", "dataset", "method", "seed")  # what a finding says of its run beside the run's name
TELLING = ("trial", "run", "experiment", *PLACES)
MOST = 200  # runs; more values than this tell no runs apart

Key = tuple[tuple[str, str], ...]  # what tells a run from others, and the cell that does
Rows = Sequence[Sequence[str]]


class Runs:
    """Deals out rows to a `Gathering` for each run."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name
        self._gatherings: dict[Key, ColumnReader] = {}
        self._left_out = 0  # rows of runs beyond the most there can be

    def deal(self, header: Sequence[str], rows: Rows) -> Iterator[tuple[ColumnReader, Rows]]:
        """The rows of each run, in their order."""
        names = {raw.lower(): column for column, raw in reversed(list(enumerate(header)))}
        telling = [(told, names[told]) for told in TELLING if told in names]
        dealt: dict[Key, list[Sequence[str]]] = {} if telling else {(): list(rows)}
        for row in rows if telling else ():
            key = tuple((told, row[at].strip() if at < len(row) else "") for told, at in telling)
            dealt.setdefault(key, []).append(row)
        for key, mine in dealt.items():
            if key not in self._gatherings and len(self._gatherings) == MOST:
                self._left_out += len(mine)
            elif mine:
                yield self._gatherings.setdefault(key, ColumnReader(self._name_of(key), self._path)), mine

    def finish(self) -> list[Log]:
        """The logs of all runs that have one. Raises NothingToRead where none has."""
        logs, reasons = [], []
        for key, gathering in self._gatherings.items():
            if self._left_out:
                gathering.notes.append(f"the table holds more than {MOST} runs: {self._left_out} rows were left out")
            gathering.place = _place(key)
            try:
                logs.append(gathering.finish())
            except NothingToRead as reason:
                reasons.append(reason)
        if not logs:
            raise reasons[0] if reasons else NothingToRead("it holds no rows")
        return logs

    def _name_of(self, key: Key) -> str:
        told = dict(key)
        own = next((told[what] for what in ("trial", "run", "experiment") if told.get(what)), None)
        others = [told[what] for what in PLACES if told.get(what)]
        return own or "-".join([self._name, *others])


def _place(key: Key) -> dict[str, object]:
    told = {what: printable(text) for what, text in key if what in PLACES}
    seed = told.pop("seed", "")
    return {**told, **({"seed": int(seed)} if seed.isascii() and seed.isdigit() and len(seed) < 16 else {})}


DELIMITERS = ("\t", ";", ",", "|", None)  # None: any white space
LOOKED_AT = 40  # lines by which a table is told
PREAMBLE = 10  # of which so many may stand above the header
TENSORBOARD = {"wall time", "step", "value"}  # what its web page exports: one series, named by the file
LINES_PER_CHUNK = 20_000  # at a time


def is_table(path: Path) -> bool:
    """Whether the file looks like rows of numbers under a header. Raises NothingToRead for no text."""
    try:
        _header(first_lines(path, LOOKED_AT))
    except NothingToRead:
        return False
    return True


def read_table(path: Path, name: str) -> list[Log]:
    """The log of each run in a table. Raises NothingToRead where there is no table, or none of signals."""
    at, delimiter, header = _header(first_lines(path, LOOKED_AT))
    names = _names(header, path)
    runs = Runs(path, name)
    to_skip = at + 1
    for block in blocks_of_lines(path):
        lines = [line for line in block if line and not line.isspace()]
        skip = min(len(lines), to_skip)
        to_skip -= skip
        for begin in range(skip, len(lines), LINES_PER_CHUNK):
            for row_names, rows in _under_headers(names, _cells(lines[begin : begin + LINES_PER_CHUNK], delimiter)):
                names = row_names
                for gathering, mine in runs.deal(names, rows):
                    _take(gathering, names, mine)
    return runs.finish()


def _under_headers(names: list[str], rows: list[list[str]]) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Stretches of rows and what names their columns: a run that is taken up again may write a header of its own."""
    known, begin = {*names} - {""}, 0
    for at in [at for at, row in enumerate(rows) if row and row[0] in known]:
        header = [cell.strip() for cell in rows[at]]
        if len(known.intersection(header)) > 1 or header == names:
            yield names, rows[begin:at]
            names, begin = header, at + 1
    yield names, rows[begin:]


def _header(lines: Sequence[str]) -> tuple[int, str | None, list[str]]:
    """Which line names the columns, what stands between them, and the names."""
    if not lines:
        raise NothingToRead("it holds nothing but blank lines")
    if len(lines) == 1:
        raise NothingToRead("it holds a single line")
    for delimiter in DELIMITERS:
        rows = _cells(lines, delimiter)
        for at, row in enumerate(rows[: min(PREAMBLE, len(rows) - 1)]):
            below = [cells for cells in rows[at + 1 :] if len(cells) == len(row)]
            if _names_columns(row, delimiter) and 2 * len(below) >= len(rows) - at - 1 and _numeric(below):
                return at, delimiter, [cell.strip().strip('"').lstrip("# ") for cell in row]
    if all(is_number(cell) for cell in re.split(r"[,;\s]+", lines[0])):
        raise NothingToRead("its first line does not name its columns; put a line such as step,loss_d,loss_g above")
    raise NothingToRead("it is no table of numbers under a line that names them")


def _names_columns(row: Sequence[str], delimiter: str | None) -> bool:
    """Whether a row may be a header. One column alone is taken for one only where a comma might have stood."""
    filled = [cell.strip() for cell in row if cell.strip(' "#')]
    enough = len(filled) > 1 or (len(filled) == 1 and delimiter == ",")
    differ = len(set(filled)) > 1 or len(filled) == 1  # a rule such as `=== ===` names nothing
    return enough and differ and not any(number(cell) is not None for cell in filled)


def _numeric(rows: Sequence[Sequence[str]]) -> bool:
    """Whether most rows hold a number in some column; among them may stand the header, once more."""
    counts: Counter[int] = Counter()
    for row in rows:
        counts.update(column for column, cell in enumerate(row) if is_number(cell))
    return max(counts.values(), default=0) >= max(1, len(rows) / 2)


def _cells(lines: Sequence[str], delimiter: str | None) -> list[list[str]]:
    if delimiter is None:
        return [line.lstrip("#").split() for line in lines]
    if not any('"' in line for line in lines):
        return [line.split(delimiter) for line in lines]
    # One by one, so that a stray quotation mark costs its own line and no other.
    return [next(csv.reader([line], delimiter=delimiter), []) if len(line) < 1 << 17 else [] for line in lines]


def _names(header: Sequence[str], path: Path) -> list[str]:
    if {name.lower() for name in header} == TENSORBOARD:
        tag = path.stem.rsplit("tag-", 1)[-1]
        return [tag if name.lower() == "value" else name for name in header]
    return list(header)


def _take(gathering: ColumnReader, names: Sequence[str], rows: Rows) -> None:
    """Hand rows on as columns of numbers; of several with one name the first."""
    gathering.tell_twins(names)
    columns: dict[str, tuple[Array, Array]] = {}
    shortest = min(map(len, rows))
    for column, raw in enumerate(names):
        extra = raw.endswith(("__MIN", "__MAX"))  # which Weights & Biases adds to its exports
        if (
            raw
            and raw not in columns
            and not extra
            and raw.lower() not in TELLING
            and (unit_of(raw) or gathering.wants(raw))
        ):
            columns[raw], wrong = _numbers(
                [row[column] for row in rows]
                if column < shortest
                else [row[column] if column < len(row) else "" for row in rows]
            )
            gathering.no_numbers += wrong
    gathering.add_rows(len(rows), columns, names)


def _numbers(cells: Sequence[str]) -> tuple[tuple[Array, Array], int]:
    """The positions and values of what was logged in a column."""
    try:
        return (np.arange(len(cells)), np.fromiter(map(float, cells), float, len(cells))), 0
    except ValueError:
        found: Iterable[float | None] = map(number, cells)
        logged = [(position, value) for position, value in enumerate(found) if value is not None]
        bad = sum(not is_number(cell) for cell in cells) if len(logged) < len(cells) else 0
        pairs = np.array(logged, dtype=float).reshape(-1, 2)
        return (pairs[:, 0].astype(int), pairs[:, 1]), bad
