"""From the rows of any format to a Log: which columns are kept, by which name, and what is to be said of them.

Rows that come one at a time, each with what was logged at that moment, handed on in chunks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from .downsample import CAPACITY, RESTARTS, Gathered
from .log import Array, Log, NothingToRead, Series, listed, printable
from .names import KNOWN, our_name
from .steps import StepCounter, unit_of

OTHERS = 100  # columns kept that have no name of ours: a diagnosis may know theirs
MOST = 200  # columns kept in all
GAP = 20.0  # times the usual distance between two steps
NO_SCORE: Mapping[str, Callable[[Array], Array]] = {  # what no score can be: many log it before the first evaluation
    "fid": lambda values: values <= 0,
    "kid": lambda values: values == 0,  # its estimate is unbiased: below zero it may be, never on it
    "inception_score": lambda values: values < 1,
}

Columns = Mapping[str, tuple[Array, Array]]  # raw name -> positions in a chunk of rows, and values there


class ColumnReader:
    """Collects what readers find, column by column or row by row."""

    def __init__(self, name: str, *sources: Path) -> None:
        self.name = printable(name)
        self.sources = sources
        self.rows = 0
        self.notes: list[str] = []
        self.no_numbers = 0  # cells of columns of numbers that hold something else
        self.place: Mapping[str, object] = {}
        self.unit = ""
        self._counter: StepCounter | None = None
        self._series: dict[str, Gathered] = {}
        self._beyond: set[str] = set()  # columns that were too many

    def add_rows(self, n: int, columns: Columns, names: Iterable[str] = ()) -> None:
        """Take `n` rows; `names` are all the columns that there are, where they are known before."""
        if self._counter is None:
            self._counter = StepCounter([*names, *columns])
            self.unit = self._counter.unit
        counted = self._counter.counted
        steps = self._counter.steps(n, columns)
        if self._counter.counted and not counted:
            for found in self._series.values():
                found.put_at(0.0)  # its rows were numbered for want of a step
        self.rows += n
        for raw, (positions, values) in columns.items():
            if self.wants(raw):
                self.add(raw, steps[positions], values)

    def tell_twins(self, names: Sequence[str]) -> None:
        """Note which of the columns' names stand more than once: the first of each is read."""
        twins = [printable(name) for name, count in Counter(filter(None, names)).items() if count > 1]
        note = f"several columns are called {listed(twins)}: the first is read"
        if twins and note not in self.notes:
            self.notes.append(note)

    def wants(self, raw: str) -> bool:
        """Whether a column is kept, now and from now on; one that counts steps is no series."""
        if raw in self._series:
            return True
        if unit_of(raw):
            return False
        if len(self._series) >= (OTHERS if our_name(raw) is None else MOST):
            if len(self._beyond) < MOST:
                self._beyond.add(raw)
            return False
        self._series[raw] = Gathered(raw)
        return True

    def add(self, raw: str, steps: Array, values: Array) -> None:
        """Take values of a series that is wanted, at steps that are known."""
        self._series[raw].extend(steps, values)

    def finish(self) -> Log:
        """The log. Raises NothingToRead where no column is one that we know."""
        if self._counter and not self._counter.counted:
            self.unit = "row"
        gathered = {raw: found for raw, found in self._series.items() if found.count}
        placed, spare = _placed(gathered)
        series = {name: gathered[raw].series() for name, raw in placed.items()}
        _tell_probabilities(series)
        no_scores = _without_what_is_no_score(series)
        unplaced = [raw for raw in gathered if our_name(raw) is None]
        if not series:
            raise NothingToRead(self._nothing(unplaced))
        series |= {raw: gathered[raw].series() for raw in unplaced if raw not in series}
        wrong = [f"{self.no_numbers} cells hold no number and count as not logged"] if self.no_numbers else []
        notes = [
            *self.notes,
            *wrong,
            *no_scores,
            *self._of_order(gathered),
            *_of_gaps(series, self.unit),
            *_of_names(series, placed, spare),
        ]
        recognised = tuple(name for name in series if name in KNOWN)
        unknown = tuple(map(printable, [*unplaced, *sorted(self._beyond)]))
        return Log(self.name, self.sources, self.unit, self.rows, series, recognised, unknown, tuple(notes), self.place)

    def _nothing(self, unplaced: list[str]) -> str:
        seen = f"of its columns ({listed([*map(printable, unplaced)])}) " if unplaced else "of its rows "
        return f"none {seen}is a signal that ganbench knows; it knows loss_d, loss_g, d_real, d_fake, auc_d, fid, ..."

    def _of_order(self, gathered: Mapping[str, Gathered]) -> Iterable[str]:
        if any(found.thinned for found in gathered.values()):
            most = max(found.count for found in gathered.values())
            kept = f"about {CAPACITY} were kept, evenly, with the extremes and what is not finite"
            yield f"{most} values a series are many: {kept}"
        back = max(gathered.values(), key=lambda found: found.times_back)
        if back.times_back > RESTARTS:
            yield f"steps go back {back.times_back} times: the rows were put in the order of their steps"
        elif back.times_back:
            places = ", ".join(f"from {a:.10g} to {b:.10g}" for a, b in back.turns[:3])
            more = f" and {back.times_back - 3} times more" if back.times_back > 3 else ""
            yield f"the log starts again ({self.unit} goes back {places}{more}): what was written later counts"
        if self.unit == "row":
            silent = self._counter.column if self._counter else None
            why = f"column {printable(silent)!r} never holds a number" if silent else "no column counts steps"
            yield f"{why}: rows are counted instead"


def _placed(gathered: Mapping[str, Gathered]) -> tuple[dict[str, str], list[str]]:
    """Our names and the column behind each: of several for one name the longest; and those left over."""
    candidates: dict[str, list[str]] = {}
    for raw in gathered:
        if name := our_name(raw):
            candidates.setdefault(name, []).append(raw)
    placed = {
        name: name if name in raws else max(raws, key=lambda raw: gathered[raw].count)
        for name, raws in candidates.items()
    }
    return placed, [raw for name, raws in candidates.items() for raw in raws if raw != placed[name]]


def _tell_probabilities(series: dict[str, Series]) -> None:
    """D's outputs are probabilities where all of them, on reals and on generated samples, lie between 0 and 1."""
    pair = [name for name in ("d_real", "d_fake") if name in series]
    values = np.concatenate([series[name].finite.values for name in pair]) if pair else np.empty(0)
    if len(values) and (values.min() < 0 or values.max() > 1):
        for name in pair:
            series.setdefault(f"score_{name[2:]}", series[name])
            del series[name]


def _without_what_is_no_score(series: dict[str, Series]) -> list[str]:
    """Take out of the quality scores what none can be; a note for each of which something went."""
    notes = []
    for name in NO_SCORE.keys() & series.keys():
        found = series[name]
        wrong = NO_SCORE[name](found.values)
        if not wrong.any():
            continue
        notes.append(f"{found.raw}: {wrong.sum()} values that no such score can have count as not logged")
        series[name] = Series(found.raw, found.steps[~wrong], found.values[~wrong])
        if wrong.all():
            del series[name]
    return sorted(notes)


def _of_gaps(series: Mapping[str, Series], unit: str) -> Iterable[str]:
    """The widest stretch of steps in which the log's longest series has nothing, where it is out of the ordinary."""
    steps = np.unique(max(series.values(), key=len).steps)
    if len(steps) < 10:
        return
    between = np.diff(steps)
    widest = int(np.argmax(between))
    if between[widest] > GAP * np.median(between):
        yield f"a gap: nothing between {unit} {steps[widest]:.10g} and {steps[widest + 1]:.10g}"


def _of_names(series: Mapping[str, Series], placed: Mapping[str, str], spare: list[str]) -> Iterable[str]:
    outputs = [name for name in ("d_real", "d_fake") if name in series and placed.get(name) not in ("d_real", "d_fake")]
    if outputs:
        yield f"{', '.join(series[name].raw for name in outputs)}: read as probabilities, being between 0 and 1"
    if spare:
        yield f"not read, since another column means the same: {listed([*map(printable, spare)])}"


ROWS_PER_CHUNK = 5_000  # at a time


class RowByRow:
    """Takes rows of raw name -> value and gives a `Gathering` columns."""

    def __init__(self, gathering: ColumnReader) -> None:
        self._gathering = gathering
        self._columns: dict[str, tuple[list[int], list[float]]] = {}
        self._n = 0

    def add(self, row: Mapping[str, float]) -> None:
        for raw, value in row.items():
            positions, values = self._columns.setdefault(raw, ([], []))
            positions.append(self._n)
            values.append(value)
        self._n += 1
        if self._n == ROWS_PER_CHUNK:
            self.flush()

    def flush(self) -> None:
        """Hand on what has come since the last time."""
        columns = {raw: (np.array(at, dtype=int), np.array(values)) for raw, (at, values) in self._columns.items()}
        if self._n:
            self._gathering.add_rows(self._n, columns)
        self._columns, self._n = {}, 0
