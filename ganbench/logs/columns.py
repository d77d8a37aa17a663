"""Build a Log from the columns or rows of any format: which columns to keep, under which name, with which notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from .downsample import MAX_VALUES, SeriesBuffer
from .late_start import drop_before_start, is_weight_of_d
from .log import Array, Log, Series, UnreadableLog, join_names, printable
from .names import CANONICAL_NAMES, canonical_name
from .onset import is_never_finite, transient_nonfinite
from .parts import add_parts, choose_parts, loss_part, losses_named_as_outputs
from .steps import StepCounter, step_unit

Columns = Mapping[str, tuple[Array, Array]]  # raw name -> positions in a chunk of rows, and the values there

MAX_COLUMNS = 200
MAX_UNKNOWN_COLUMNS = 100  # without a canonical name; a diagnosis may know them
MAX_RESTARTS_SHOWN = 3
MIN_STEPS_FOR_GAPS = 10
GAP_FACTOR = 20.0  # times the median distance between two steps
MIN_STEPS_BEFORE_SILENCE = 4
SILENCE_FACTOR = 3.0  # times the longest distance between two values: a longer one at the end is silence
ROWS_PER_CHUNK = 5_000
IMPOSSIBLE_SCORES: Mapping[str, Callable[[Array], Array]] = {  # placeholders logged before the first evaluation
    "fid": lambda values: values <= 0,
    "kid": lambda values: values == 0,  # the estimate is unbiased: it may be negative, but is never exactly zero
    "inception_score": lambda values: values < 1,
}


class ColumnReader:
    """Collects the columns of one run as a format's reader finds them, and makes a Log of them.

    Args:
        name: Name of the run.
        *sources: The files that are read.

    Attributes:
        rows: Number of rows taken.
        notes: Remarks for `Log.notes`.
        n_not_numbers: Number of cells in numeric columns that are not numbers.
        labels: See `Log.labels`.
        unit: See `Log.unit`; set by `add_rows`, or by a reader whose format has steps of its own.
    """

    def __init__(self, name: str, *sources: Path) -> None:
        self.name = printable(name)
        self.sources = sources
        self.rows = 0
        self.notes: list[str] = []
        self.n_not_numbers = 0
        self.labels: Mapping[str, object] = {}
        self.unit = ""
        self._counter: StepCounter | None = None
        self._buffers: dict[str, SeriesBuffer] = {}
        self._over_limit: set[str] = set()  # columns that are not kept

    def add_rows(self, n: int, columns: Columns, names: Iterable[str] = ()) -> None:
        """Take the next `n` rows.

        Args:
            n: Number of rows.
            columns: What was logged in them.
            names: Names of all columns, if they are known in advance; read at the first call.
        """
        if self._counter is None:
            self._counter = StepCounter([*names, *columns])
            self.unit = self._counter.unit
        had_counted = self._counter.has_counted
        steps = self._counter.steps(n, columns)
        if self._counter.has_counted and not had_counted:
            for buffer in self._buffers.values():
                buffer.move_to(0.0)  # rows before the first step had been counted
        self.rows += n
        for raw, (positions, values) in columns.items():
            if self.wants(raw):
                self._buffers[raw].extend(steps[positions], values, self._counter.laps[positions])

    def add_values(self, raw: str, steps: Array, values: Array) -> None:
        """Append values at known steps to a column for which `wants` was true."""
        self._buffers[raw].extend(steps, values)

    def wants(self, raw: str) -> bool:
        """Return whether a column is kept, and reserve its place; a column that counts steps is not."""
        if raw in self._buffers:
            return True
        if step_unit(raw):
            return False
        is_known = canonical_name(raw) or loss_part(raw)
        if len(self._buffers) >= (MAX_COLUMNS if is_known else MAX_UNKNOWN_COLUMNS):
            if len(self._over_limit) < MAX_COLUMNS:
                self._over_limit.add(raw)
            return False
        self._buffers[raw] = SeriesBuffer(raw)
        return True

    def note_duplicate_columns(self, names: Sequence[str]) -> None:
        """Add a note on names that several columns share: the first column of each is read."""
        duplicates = [printable(name) for name, count in Counter(filter(None, names)).items() if count > 1]
        note = f"several columns are called {join_names(duplicates)}: the first is read"
        if duplicates and note not in self.notes:
            self.notes.append(note)

    def to_log(self) -> Log:
        """Return the log of what was taken.

        Raises:
            UnreadableLog: If no column is a known signal.
        """
        if self._counter and not self._counter.has_counted:
            self.unit = "row"
        buffers = {raw: buffer for raw, buffer in self._buffers.items() if buffer.count}
        if self._counter and (length := self._counter.lap_length):
            for buffer in buffers.values():
                buffer.continue_laps(length)
            self.notes.append(f"{self.unit} restarts every {length:.10g}, as with each epoch: numbered consecutively")
        if any(buffer.is_unordered for buffer in buffers.values()):
            for buffer in buffers.values():
                buffer.sort_by_step()
        as_losses = losses_named_as_outputs(buffers)
        sources, duplicates = _choose_sources({raw: buffers[raw] for raw in buffers if raw not in as_losses})
        series = {name: buffers[raw].series() for name, raw in sources.items()}
        used, part_notes = _put_losses_together(series, buffers, as_losses)
        part_notes += _drop_before_d_starts(series, buffers, self.unit)
        _rename_unbounded_outputs(series)
        score_notes = _drop_impossible_scores(series)
        unknown = [raw for raw in buffers if canonical_name(raw) is None]
        if not series:
            raise UnreadableLog(part_notes[-1] if part_notes else _no_known_signal(unknown))
        series |= {raw: buffers[raw].series() for raw in unknown if raw not in series}
        notes = [*self.notes, *self._notes_on_cells(), *part_notes, *score_notes, *self._notes_on_steps(buffers)]
        notes += [*_notes_on_gaps(series, self.unit), *_notes_on_names(series, sources, duplicates)]
        notes += [*_notes_on_nonfinite(series, self.unit), *_notes_on_silence(series, self.unit, self._last_step())]
        return Log(
            name=self.name,
            sources=self.sources,
            unit=self.unit,
            rows=self.rows,
            series=series,
            recognised=tuple(name for name in series if name in CANONICAL_NAMES),
            unrecognised=tuple(
                map(printable, [*(raw for raw in unknown if raw not in used), *sorted(self._over_limit)])
            ),
            notes=tuple(notes),
            labels=self.labels,
        )

    def _last_step(self) -> float:
        """Return the last step of the log, with or without a value there; -inf if that is not known."""
        is_known = self._counter and self._counter.has_counted and self._counter.lap_length is None
        return self._counter.last if self._counter and is_known else -np.inf

    def _notes_on_cells(self) -> Iterator[str]:
        if self.n_not_numbers:
            yield f"{self.n_not_numbers} cells hold no number and count as not logged"

    def _notes_on_steps(self, buffers: Mapping[str, SeriesBuffer]) -> Iterator[str]:
        if any(buffer.downsampled for buffer in buffers.values()):
            longest = max(buffer.count for buffer in buffers.values())
            yield (
                f"a series has {longest} values: about {MAX_VALUES} were kept, evenly spaced, with the extremes and "
                "the values that are not finite"
            )
        least_ordered = max(buffers.values(), key=lambda buffer: buffer.times_back)
        n = least_ordered.times_back
        if least_ordered.is_unordered:
            yield f"steps go back {n} times: the rows were sorted by step"
        elif n:
            places = ", ".join(f"from {a:.10g} to {b:.10g}" for a, b in least_ordered.steps_back[:MAX_RESTARTS_SHOWN])
            more = f" and {n - MAX_RESTARTS_SHOWN} times more" if n > MAX_RESTARTS_SHOWN else ""
            yield f"the log restarts ({self.unit} goes back {places}{more}): rows written later replace earlier ones"
        if self.unit == "row":
            silent = self._counter.column if self._counter else None
            why = f"column {printable(silent)!r} never holds a number" if silent else "no column counts steps"
            yield f"{why}: rows are counted instead"


class RowBuffer:
    """Takes rows one at a time and hands them on to a ColumnReader in chunks of columns."""

    def __init__(self, reader: ColumnReader) -> None:
        self._reader = reader
        self._columns: dict[str, tuple[list[int], list[float]]] = {}
        self._n = 0

    def add(self, row: Mapping[str, float]) -> None:
        """Take the next row: raw name -> value of what was logged in it."""
        for raw, value in row.items():
            positions, values = self._columns.setdefault(raw, ([], []))
            positions.append(self._n)
            values.append(value)
        self._n += 1
        if self._n == ROWS_PER_CHUNK:
            self.flush()

    def flush(self) -> None:
        """Hand on the rows that are still held."""
        columns = {raw: (np.array(at, dtype=int), np.array(values)) for raw, (at, values) in self._columns.items()}
        if self._n:
            self._reader.add_rows(self._n, columns)
        self._columns, self._n = {}, 0


def _choose_sources(buffers: Mapping[str, SeriesBuffer]) -> tuple[dict[str, str], list[str]]:
    """Return the column behind each canonical name, the longest if there are several, and the columns left over."""
    candidates: dict[str, list[str]] = {}
    for raw in buffers:
        if name := canonical_name(raw):
            candidates.setdefault(name, []).append(raw)
    sources = {
        name: name if name in raws else max(raws, key=lambda raw: buffers[raw].count)
        for name, raws in candidates.items()
    }
    return sources, [raw for name, raws in candidates.items() for raw in raws if raw != sources[name]]


def _put_losses_together(
    series: dict[str, Series], buffers: Mapping[str, SeriesBuffer], as_losses: Sequence[str]
) -> tuple[set[str], list[str]]:
    """Add a player's loss that was logged in parts only; return the columns used, and a note on each sum.

    `as_losses` are parts of D's loss whose names do not say so.
    """
    used: set[str] = set()
    notes = []
    for player in "dg":
        parts = [] if f"loss_{player}" in series else choose_parts(buffers, player)
        parts = list(as_losses) if player == "d" and as_losses else parts
        if not parts:
            continue
        if total := add_parts({raw: buffers[raw].series() for raw in parts}):
            series[f"loss_{player}"] = total
            used.update(parts)
            notes.append(f"loss_{player} was put together from {len(parts)} parts: {total.raw}")
        else:
            notes.append(f"{join_names([*map(printable, parts)])}: not added up, since they were logged at other steps")
    return used, notes


def _drop_before_d_starts(series: dict[str, Series], buffers: Mapping[str, SeriesBuffer], unit: str) -> Iterator[str]:
    """Leave out D's loss from before D started, and yield a note if it started late or not at all."""
    loss = series.get("loss_d")
    if loss is None:
        return
    since = drop_before_start(loss, [buffer.series() for raw, buffer in buffers.items() if is_weight_of_d(raw)])
    if len(since) == len(loss):
        return
    begin = since.steps[0] if len(since) else np.inf
    for name in ("loss_d", "loss_g"):  # G's adversarial loss is weighted with 0 too, if it is logged as it is used
        if name in series and (name == "loss_d" or not series[name].values[series[name].steps < begin].any()):
            series[name] = series[name].since(begin)
            if not len(series[name]):
                del series[name]
    if len(since):
        yield f"D starts at {unit} {since.steps[0]:.10g}: {loss.raw} before that is left out"
    else:
        yield f"D has not started up to {unit} {loss.steps[-1]:.10g} (its weight is 0): {loss.raw} is left out"


def _rename_unbounded_outputs(series: dict[str, Series]) -> None:
    """Rename `d_real` and `d_fake` to `score_*` unless all of their values lie between 0 and 1."""
    outputs = [name for name in ("d_real", "d_fake") if name in series]
    values = np.concatenate([series[name].finite.values for name in outputs]) if outputs else np.empty(0)
    if len(values) and (values.min() < 0 or values.max() > 1):
        for name in outputs:
            series.setdefault(f"score_{name[2:]}", series[name])
            del series[name]


def _drop_impossible_scores(series: dict[str, Series]) -> list[str]:
    """Drop values that a quality score cannot have, and return a note on each score that lost some."""
    notes = []
    for name in IMPOSSIBLE_SCORES.keys() & series.keys():
        score = series[name]
        impossible = IMPOSSIBLE_SCORES[name](score.values)
        if not impossible.any():
            continue
        notes.append(f"{score.raw}: {impossible.sum()} values that such a score cannot have count as not logged")
        series[name] = Series(score.raw, score.steps[~impossible], score.values[~impossible])
        if impossible.all():
            del series[name]
    return sorted(notes)


def _no_known_signal(unknown: list[str]) -> str:
    seen = f"of its columns ({join_names([*map(printable, unknown)])}) " if unknown else "of its rows "
    return f"none {seen}is a signal that ganbench knows; it knows loss_d, loss_g, d_real, d_fake, auc_d, fid, ..."


def _notes_on_gaps(series: Mapping[str, Series], unit: str) -> Iterator[str]:
    """Yield a note on the widest gap between steps of the longest series, if it exceeds `GAP_FACTOR` median distances."""
    steps = np.unique(max(series.values(), key=len).steps)
    if len(steps) < MIN_STEPS_FOR_GAPS:
        return
    distances = np.diff(steps)
    widest = int(np.argmax(distances))
    if distances[widest] > GAP_FACTOR * np.median(distances):
        yield f"a gap: nothing between {unit} {steps[widest]:.10g} and {steps[widest + 1]:.10g}"


def _notes_on_nonfinite(series: Mapping[str, Series], unit: str) -> Iterator[str]:
    for name in [name for name in series if name in CANONICAL_NAMES]:
        values, passed = series[name], transient_nonfinite(series[name])
        if is_never_finite(values):
            what = "NaN" if np.isnan(values.values).all() else "not finite"
            yield f"{values.raw} is {what} throughout, in all of its {len(values)} values"
        elif len(passed):
            first, last = values.steps[passed[[0, -1]]]
            yield (
                f"{values.raw} is not finite in {len(passed)} of its {len(values)} values, from {unit} {first:.10g} to "
                f"{last:.10g}, and finite again after"
            )


def _notes_on_silence(series: Mapping[str, Series], unit: str, last_step: float) -> Iterator[str]:
    """Yield a note on each known signal that stops long before the log does: empty cells may stand for NaN."""
    for values in [series[name] for name in series if name in CANONICAL_NAMES]:
        steps = np.unique(values.steps)
        if len(steps) < MIN_STEPS_BEFORE_SILENCE:
            continue
        if last_step - steps[-1] > SILENCE_FACTOR * np.diff(steps).max():
            yield (
                f"{values.raw} has no value after {unit} {steps[-1]:.10g}, though the log goes on to {last_step:.10g}: "
                "it was no longer logged, or is NaN there"
            )


def _notes_on_names(series: Mapping[str, Series], sources: Mapping[str, str], duplicates: list[str]) -> Iterator[str]:
    outputs = ("d_real", "d_fake")
    inferred = [name for name in outputs if name in series and sources.get(name) not in outputs]
    if inferred:
        yield f"{', '.join(series[name].raw for name in inferred)}: read as probabilities, being between 0 and 1"
    if duplicates:
        yield f"not read, because another column holds the same signal: {join_names([*map(printable, duplicates)])}"
