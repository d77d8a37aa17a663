"""Which column of a log counts its steps, and what the step of each row is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

import numpy as np

from .log import Array

# The unit, and the names it goes by once everything but letters is gone; the first that a log has counts its steps.
COUNTERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("step", ("globalstep", "step", "steps", "trainerglobalstep", "trainstep", "update", "updates", "batchesdone")),
    ("iteration", ("iteration", "iter", "iters", "iterations", "itr", "it", "niter", "ngeniter", "curiter", "i")),
    ("kimg", ("kimg", "progresskimg", "snapshotkimg")),
    ("image", ("curnimg", "nimg", "nimgs", "images", "imgs")),
    ("epoch", ("epoch", "epochs", "ep", "progressepoch")),
    ("tick", ("tick", "progresstick")),
    ("batch", ("batch", "batchidx", "batchi")),
)
COUNT_WITHIN_AN_EPOCH = ("step", "iteration", "batch")
MOST_EPOCHS = 100_000  # remembered
RANKS = {name: (unit, rank) for unit, names in COUNTERS for rank, name in enumerate(names)}


@lru_cache(maxsize=4096)
def unit_of(raw: str) -> str | None:
    """What a column counts if it counts steps: "step", "kimg", "epoch", ..."""
    unit, _ = RANKS.get(_letters(raw), (None, 0))
    return unit


class StepCounter:
    """The steps of rows that come in chunks. Without a column for them it counts rows."""

    def __init__(self, names: Iterable[str]) -> None:
        counting = [raw for raw in names if unit_of(raw)]
        there = {RANKS[_letters(raw)][0]: raw for raw in sorted(counting, key=_rank, reverse=True)}
        chosen = next((unit for unit, _ in COUNTERS if unit in there), None)
        if chosen == "epoch" and "batch" in there:
            chosen = "batch"
        self.unit = chosen or "row"
        self.column = there[chosen] if chosen else None
        self.epoch = there.get("epoch") if chosen in COUNT_WITHIN_AN_EPOCH else None
        self.counted = False  # whether that column has held a number yet
        self._rows = 0
        self._last = {"step": 0.0, "epoch": 0.0}
        self._offsets: dict[float, float] = {}  # what is added to steps that begin anew with each epoch
        self._offset = 0.0
        self._reached = -np.inf  # the last step, and the epoch that it belongs to
        self._epoch = np.nan

    def steps(self, n: int, columns: Mapping[str, tuple[Array, Array]]) -> Array:
        """The steps (n,) of the next n rows; `columns` holds the positions and values of what was logged in them.

        A row without a step has that of the row before it. As long as none has had one, rows are counted.
        """
        if self.column is not None and not self.counted and self.column in columns:
            self.counted = bool(np.isfinite(columns[self.column][1]).any())
        if self.column is None or not self.counted:
            self._rows += n
            return np.arange(self._rows - n + 1, self._rows + 1, dtype=float)
        counted = self._filled("step", n, columns.get(self.column))
        if self.epoch is None:
            return counted
        return self._over_epochs(counted, self._filled("epoch", n, columns.get(self.epoch)))

    def _filled(self, what: str, n: int, column: tuple[Array, Array] | None) -> Array:
        values = np.full(n + 1, np.nan)
        values[0] = self._last[what]
        if column is not None:
            positions, logged = column
            finite = np.isfinite(logged)
            values[1 + positions[finite]] = logged[finite]
        latest = np.maximum.accumulate(np.where(np.isfinite(values), np.arange(n + 1), 0))
        filled: Array = values[latest][1:]
        if n:
            self._last[what] = float(filled[-1])
        return filled

    def _over_epochs(self, counted: Array, epochs: Array) -> Array:
        """Steps that begin anew as an epoch does go on from where the last one ended."""
        steps = counted.copy()
        begins = np.flatnonzero(np.diff(epochs, prepend=self._epoch))
        for begin, end in zip(np.r_[0, begins], np.r_[begins, len(steps)], strict=True):
            if begin == end:
                continue
            self._epoch = float(epochs[begin])
            if self._epoch in self._offsets:
                self._offset = self._offsets[self._epoch]  # a restart goes back to an epoch that was here before
            elif counted[begin] + self._offset < self._reached:
                self._offset = self._reached + 1 - min(float(counted[begin]), 1.0)
            if len(self._offsets) < MOST_EPOCHS:
                self._offsets[self._epoch] = self._offset
            steps[begin:end] += self._offset
            self._reached = float(steps[end - 1])
        return steps


def _rank(raw: str) -> int:
    return RANKS[_letters(raw)][1]


def _letters(raw: str) -> str:
    return re.sub(r"[^a-z]", "", raw.rsplit(" - ", 1)[-1].lower())
