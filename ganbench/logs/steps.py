"""Find the column of a log that counts its steps, and the step of each row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

import numpy as np

from .log import Array
from .names import bare_name

# A unit, and the names of its counters without anything but letters. The first unit that a log has counts its steps.
COUNTERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("step", ("globalstep", "step", "steps", "trainerglobalstep", "trainstep", "update", "updates", "batchesdone")),
    ("iteration", ("iteration", "iter", "iters", "iterations", "itr", "it", "niter", "ngeniter", "curiter", "i")),
    ("kimg", ("kimg", "progresskimg", "snapshotkimg")),
    ("image", ("curnimg", "nimg", "nimgs", "images", "imgs")),
    ("epoch", ("epoch", "epochs", "ep", "progressepoch")),
    ("tick", ("tick", "progresstick")),
    ("batch", ("batch", "batchidx", "batchi")),
)
UNITS_AND_RANKS = {name: (unit, rank) for unit, names in COUNTERS for rank, name in enumerate(names)}
UNITS_WITHIN_EPOCHS = ("step", "iteration", "batch")  # may restart at zero with each epoch
MAX_EPOCHS_REMEMBERED = 100_000
MAX_STEP = 2.0**53  # largest step that a float counts exactly
MIN_LAPS_BACK = 2  # times that a counter returns to its first value before that is taken for the end of an epoch
MANY_LAPS_BACK = 20  # the same for epochs of different lengths


@lru_cache(maxsize=4096)
def step_unit(raw: str) -> str | None:
    """Return what a column counts ("step", "kimg", "epoch", ...), None if it does not count steps."""
    unit, _ = UNITS_AND_RANKS.get(_letters(raw), (None, 0))
    return unit


class StepCounter:
    """Assigns a step to every row of a log that is read in chunks. Without a counter column it counts rows.

    Args:
        names: Names of the log's columns.

    Attributes:
        unit: What the steps count, "row" if no column counts them.
        column: The counter column, None if there is none.
        has_counted: Whether that column has held a finite number so far.
        laps: How often the counter has gone back before each row that `steps` was last called for, shape (n,).
    """

    def __init__(self, names: Iterable[str]) -> None:
        counters = [raw for raw in names if step_unit(raw)]
        by_unit = {UNITS_AND_RANKS[_letters(raw)][0]: raw for raw in sorted(counters, key=_rank, reverse=True)}
        unit = next((unit for unit, _ in COUNTERS if unit in by_unit), None)
        if unit == "epoch" and "batch" in by_unit:
            unit = "batch"
        self.unit = unit or "row"
        self.column = by_unit[unit] if unit else None
        self.has_counted = False
        self._epoch_column = by_unit.get("epoch") if unit in UNITS_WITHIN_EPOCHS else None
        self._rows = 0
        self._last = {"step": 0.0, "epoch": 0.0}
        self._offsets: dict[float, float] = {}  # by epoch: what is added to steps that restart with each epoch
        self._offset = 0.0
        self._last_step = -np.inf
        self._last_epoch = np.nan
        self.laps: Array = np.empty(0)
        self._n_laps = 0
        self._first_count, self._last_count, self._increment = np.nan, -np.inf, 1.0
        self._ends: set[float] = set()  # of laps; few are needed
        self._returns_to_first = True

    @property
    def last(self) -> float:
        """The last step that was counted, 0 before the first."""
        return self._last["step"] if self._offset == 0 else max(0.0, self._last_step)

    @property
    def lap_length(self) -> float | None:
        """Steps in an epoch, if the counter restarts with each and no column says which: else None.

        So it is if the counter has returned to its first value again and again, always from the same one.
        """
        if self._epoch_column is not None or self.unit not in UNITS_WITHIN_EPOCHS or not self._returns_to_first:
            return None
        is_regular = len(self._ends) == 1 and self._n_laps >= MIN_LAPS_BACK and self._last_count <= max(self._ends)
        if not is_regular and self._n_laps <= MANY_LAPS_BACK:
            return None
        return max(*self._ends, self._last_count) - self._first_count + self._increment

    def steps(self, n: int, columns: Mapping[str, tuple[Array, Array]]) -> Array:
        """Return the steps, shape (n,), of the next n rows.

        A row without a step takes the step of the row before it. Rows are counted until the first step is seen.

        Args:
            n: Number of rows.
            columns: Positions (0 to n - 1) and values of what was logged in these rows, by raw name.
        """
        if self.column is not None and not self.has_counted and self.column in columns:
            self.has_counted = bool(np.isfinite(columns[self.column][1]).any())
        if self.column is None or not self.has_counted:
            self._rows += n
            self.laps = np.zeros(n)
            return np.arange(self._rows - n + 1, self._rows + 1, dtype=float)
        counts = self._fill_forward("step", n, columns.get(self.column))
        if self._epoch_column is None:
            self._follow_laps(counts)
            return counts
        self.laps = np.zeros(n)
        return self._continue_over_epochs(counts, self._fill_forward("epoch", n, columns.get(self._epoch_column)))

    def _follow_laps(self, counts: Array) -> None:
        counts = np.clip(counts, -MAX_STEP, MAX_STEP)
        before = np.r_[self._last_count, counts[:-1]]
        back = counts < before
        self.laps = self._n_laps + np.cumsum(back)
        if not len(counts):
            return
        if np.isnan(self._first_count):
            self._first_count = float(counts[0])
            forward = np.diff(counts)
            self._increment = float(forward[forward > 0][0]) if (forward > 0).any() else 1.0
        self._ends.update(before[back][: MANY_LAPS_BACK + 1].tolist())
        self._returns_to_first &= bool((counts[back] == self._first_count).all())
        self._n_laps, self._last_count = int(self.laps[-1]), float(counts[-1])

    def _fill_forward(self, quantity: str, n: int, column: tuple[Array, Array] | None) -> Array:
        values = np.full(n + 1, np.nan)
        values[0] = self._last[quantity]
        if column is not None:
            positions, logged = column
            finite = np.isfinite(logged)
            values[1 + positions[finite]] = logged[finite]
        latest = np.maximum.accumulate(np.where(np.isfinite(values), np.arange(n + 1), 0))
        filled: Array = values[latest][1:]
        if n:
            self._last[quantity] = float(filled[-1])
        return filled

    def _continue_over_epochs(self, counts: Array, epochs: Array) -> Array:
        """Let steps that restart with an epoch continue from the last step of the epoch before."""
        steps = counts.copy()
        begins = np.flatnonzero(np.diff(epochs, prepend=self._last_epoch))
        for begin, end in zip(np.r_[0, begins], np.r_[begins, len(steps)], strict=True):
            if begin == end:
                continue
            self._last_epoch = float(epochs[begin])
            if self._last_epoch in self._offsets:
                self._offset = self._offsets[self._last_epoch]  # a resumed run repeats an epoch
            elif counts[begin] + self._offset < self._last_step:
                self._offset = self._last_step + 1 - min(float(counts[begin]), 1.0)
            if len(self._offsets) < MAX_EPOCHS_REMEMBERED:
                self._offsets[self._last_epoch] = self._offset
            steps[begin:end] += self._offset
            self._last_step = float(steps[end - 1])
        return steps


def _rank(raw: str) -> int:
    return UNITS_AND_RANKS[_letters(raw)][1]


def _letters(raw: str) -> str:
    return re.sub(r"[^a-z]", "", bare_name(raw).lower())
