"""Intervals as marks on a common line: where each of a metric's intervals lies, in percent of the line's length."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .rankings import MetricTable, Standing

MAX_ASPECT = 30.0  # largest over smallest value from which the line is logarithmic


@dataclass(frozen=True)
class Interval:
    """Places on a line from 0 to 100: the interval, its middle, and the floor where it is on the line."""

    left: float
    width: float
    dot: float
    floor: float | None


@dataclass(frozen=True)
class Axis:
    """The line that a metric's whiskers share."""

    start: float
    end: float
    log: bool

    def place(self, value: float) -> float:
        """Percent of the line, 3 to 97, so that a dot at an end is still whole."""
        start, end, at = (
            (math.log(self.start), math.log(self.end), math.log(value)) if self.log else (self.start, self.end, value)
        )
        share = (at - start) / (end - start) if end > start else 0.5
        return round(3 + 94 * min(1.0, max(0.0, share)), 1)


def axis_for(table: MetricTable) -> Axis | None:
    """The line for a metric: as long as its values, intervals and floors reach; None where nothing was measured."""
    values = [
        value
        for standing in table.standings
        for value in (standing.iqm, standing.low, standing.high, standing.floor)
        if value is not None and math.isfinite(value)
    ]
    if not values or all(standing.iqm is None for standing in table.standings):
        return None
    start, end = min(values), max(values)
    return Axis(start, end, start > 0 and end / start > MAX_ASPECT)


def scale_interval(line: Axis | None, standing: Standing) -> Interval | None:
    """Where a standing lies on its metric's line; None where it has no finite value."""
    if line is None or standing.iqm is None or not math.isfinite(standing.iqm):
        return None
    dot = line.place(standing.iqm)
    ends = [line.place(value) for value in (standing.low, standing.high) if value is not None and math.isfinite(value)]
    left, right = min([dot, *ends]), max([dot, *ends])
    floor = standing.floor
    placed = line.place(floor) if floor is not None and math.isfinite(floor) else None
    return Interval(left, round(right - left, 1), dot, placed)
