"""Collect a series of any length in bounded memory, and put its steps in order at the end."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .log import Array, Series, printable
from .steps import MAX_STEP

MAX_VALUES = 20_000  # per series; beyond, it is downsampled
MAX_RESTARTS = 20  # steps that go back more often, after few rows each, are not restarts: the rows are unordered
MIN_ROWS_PER_RESTART = 10
MIN_TIMES_BACK = 3  # without a step forward: the rows are in reverse


class SeriesBuffer:
    """Takes the values of one series in the order in which they were logged.

    Beyond `MAX_VALUES` it keeps every second value, then every fourth, and so on, together with the minimum, the
    maximum, the last value and the non-finite values (of very many the first and the last).

    Args:
        raw: The name of the series in the log.

    Attributes:
        count: Number of values taken.
        times_back: How often the step was smaller than the one before.
        times_forward: How often it was larger.
        steps_back: The first of these places, as (step before, step after).
    """

    def __init__(self, raw: str) -> None:
        self.raw = raw
        self.count = 0
        self.times_back = 0
        self.times_forward = 0
        self.steps_back: list[tuple[float, float]] = []
        self._is_sorted = False
        self._stride = 1
        self._kept = np.empty((0, 4))  # columns: position in the log, step, value, lap of the step's counter
        self._pending: list[Array] = []
        self._n_pending = 0
        self._last_step = -np.inf

    @property
    def downsampled(self) -> bool:
        """Whether values were dropped."""
        return self._stride > 1

    @property
    def is_unordered(self) -> bool:
        """Whether steps go back too often for restarts, or never forward, as in a table with the newest row first."""
        if self.times_back >= MIN_TIMES_BACK and not self.times_forward:
            return True
        return self.times_back > MAX_RESTARTS and self.count < MIN_ROWS_PER_RESTART * self.times_back

    def extend(self, steps: Array, values: Array, laps: Array | None = None) -> None:
        """Append `values`, shape (n,), logged at `steps`, shape (n,), in `laps` of their counter, shape (n,)."""
        if not len(values):
            return
        steps = np.clip(steps, -MAX_STEP, MAX_STEP)
        before = np.r_[self._last_step, steps[:-1]]
        back = np.flatnonzero(steps < before)
        self.times_back += len(back)
        self.times_forward += int(np.count_nonzero(steps > before)) - bool(not self.count)
        room = MAX_RESTARTS + 1 - len(self.steps_back)
        self.steps_back += [(float(before[i]), float(steps[i])) for i in back[:room]]
        self._last_step = float(steps[-1])
        position = np.arange(self.count, self.count + len(values))
        self.count += len(values)
        rows = np.column_stack([position, steps, values, np.zeros(len(values)) if laps is None else laps])
        rows = rows[self._to_keep(rows)]
        self._pending.append(rows)
        self._n_pending += len(rows)
        if self._n_pending + len(self._kept) > 2 * MAX_VALUES:
            self._downsample()

    def move_to(self, step: float) -> None:
        """Set the step of all values taken so far."""
        for rows in (self._kept, *self._pending):
            rows[:, 1] = step
        self._last_step = step

    def continue_laps(self, length: float) -> None:
        """Let steps go on where their counter had gone back: each lap adds `length` steps."""
        for rows in (self._kept, *self._pending):
            rows[:, 1] += length * rows[:, 3]
        self.times_back, self.times_forward, self.steps_back = 0, self.times_back + self.times_forward, []

    def sort_by_step(self) -> None:
        """Take the rows for unordered: another series of the log shows it, where this one has too few values."""
        self._is_sorted = True

    def series(self) -> Series:
        """Return what was kept, ordered by step. After a restart the values logged later replace earlier ones."""
        rows = np.concatenate([self._kept, *self._pending])
        if self._is_sorted or self.is_unordered:
            rows = rows[np.argsort(rows[:, 1], kind="stable")]
        elif self.times_back:
            rows = _drop_overwritten(rows)
        return Series(printable(self.raw), rows[:, 1], rows[:, 2])

    def _downsample(self) -> None:
        self._kept, self._pending, self._n_pending = np.concatenate([self._kept, *self._pending]), [], 0
        regular = np.count_nonzero(self._kept[:, 0] % self._stride == 0)
        while regular > MAX_VALUES:
            self._stride, regular = self._stride * 2, regular // 2
        self._kept = self._kept[self._to_keep(self._kept)]

    def _to_keep(self, rows: Array) -> Array:
        """Return which rows to keep, boolean, shape (n,)."""
        values = rows[:, 2]
        keep = rows[:, 0] % self._stride == 0
        keep[-1] = True
        finite = np.flatnonzero(np.isfinite(values))
        if len(finite):
            keep[finite[[np.argmin(values[finite]), np.argmax(values[finite])]]] = True
        nonfinite = np.flatnonzero(~np.isfinite(values))
        half = MAX_VALUES // 2
        keep[nonfinite if len(nonfinite) <= MAX_VALUES else np.r_[nonfinite[:half], nonfinite[-half:]]] = True
        return keep


def _drop_overwritten(rows: Array) -> Array:
    """Drop the rows at steps that a later restart covers again or went back behind."""
    begins = np.r_[0, np.flatnonzero(np.diff(rows[:, 1]) < 0) + 1, len(rows)]
    kept, earliest = [], np.inf
    for begin, end in reversed(list(pairwise(begins))):
        stretch = rows[begin:end]
        kept.append(stretch[stretch[:, 1] < earliest])
        earliest = min(earliest, stretch[0, 1])
    return np.concatenate(kept[::-1])
