"""A series as it is read: of any length, in bounded memory, with the steps put in order at the end."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .log import Array, Series, printable

CAPACITY = 20_000  # values kept of a series before it is thinned out
RESTARTS = 20  # steps that go back more often than this are no restarts: the rows are in no order
LARGEST = 2.0**53  # a step beyond is no count


class Gathered:
    """Takes values in the order in which they were written.

    Beyond `CAPACITY` it keeps every second, then every fourth value, and so on; what is not finite, the smallest,
    the largest and the last value stay.
    """

    def __init__(self, raw: str) -> None:
        self.raw = raw
        self.count = 0
        self.turns: list[tuple[float, float]] = []  # where steps went back, from and to; the first few
        self.times_back = 0
        self._stride = 1
        self._held = np.empty((0, 3))  # position in the log, step, value
        self._waiting: list[Array] = []
        self._n_waiting = 0
        self._last_step = -np.inf

    @property
    def thinned(self) -> bool:
        return self._stride > 1

    def extend(self, steps: Array, values: Array) -> None:
        """Take `values` (n,) at `steps` (n,)."""
        if not len(values):
            return
        steps = np.clip(steps, -LARGEST, LARGEST)
        before = np.r_[self._last_step, steps[:-1]]
        back = np.flatnonzero(steps < before)
        self.times_back += len(back)
        self.turns += [(float(before[i]), float(steps[i])) for i in back[: RESTARTS + 1 - len(self.turns)]]
        self._last_step = float(steps[-1])
        position = np.arange(self.count, self.count + len(values))
        self.count += len(values)
        rows = np.column_stack([position, steps, values])
        rows = rows[self._kept(rows)]
        self._waiting.append(rows)
        self._n_waiting += len(rows)
        if self._n_waiting + len(self._held) > 2 * CAPACITY:
            self._thin()

    def put_at(self, step: float) -> None:
        """Put all that was taken so far at one step."""
        for rows in (self._held, *self._waiting):
            rows[:, 1] = step
        self._last_step = step

    def _thin(self) -> None:
        self._held, self._waiting, self._n_waiting = np.concatenate([self._held, *self._waiting]), [], 0
        regular = np.count_nonzero(self._held[:, 0] % self._stride == 0)
        while regular > CAPACITY:
            self._stride, regular = self._stride * 2, regular // 2
        self._held = self._held[self._kept(self._held)]

    def _kept(self, rows: Array) -> Array:
        """Which of the rows to keep: regular ones, the last, the extremes, and what is not finite as far as it fits."""
        values = rows[:, 2]
        kept = rows[:, 0] % self._stride == 0
        kept[-1] = True
        finite = np.flatnonzero(np.isfinite(values))
        if len(finite):
            kept[finite[[np.argmin(values[finite]), np.argmax(values[finite])]]] = True
        broken = np.flatnonzero(~np.isfinite(values))
        half = CAPACITY // 2
        kept[broken if len(broken) <= CAPACITY else np.r_[broken[:half], broken[-half:]]] = True
        return kept

    def series(self) -> Series:
        """What was kept. After a restart what was written later counts; rows in no order are put in order."""
        rows = np.concatenate([self._held, *self._waiting])
        if self.times_back > RESTARTS:
            rows = rows[np.argsort(rows[:, 1], kind="stable")]
        elif self.times_back:
            rows = _later_wins(rows)
        return Series(printable(self.raw), rows[:, 1], rows[:, 2])


def _later_wins(rows: Array) -> Array:
    """Without the rows that a later stretch of rows has written again, or has gone back behind."""
    begins = np.r_[0, np.flatnonzero(np.diff(rows[:, 1]) < 0) + 1, len(rows)]
    kept, earliest = [], np.inf
    for begin, end in reversed(list(pairwise(begins))):
        stretch = rows[begin:end]
        kept.append(stretch[stretch[:, 1] < earliest])
        earliest = min(earliest, stretch[0, 1])
    return np.concatenate(kept[::-1])
