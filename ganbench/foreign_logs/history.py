"""A log in the form that diagnoses read."""

from __future__ import annotations

import numpy as np

from ..records import Breakdown, History
from .finiteness import LOSSES, breaks
from .log import Log

MOST_ROWS = 50_000


def to_history(log: Log) -> History:
    """The series as columns over all steps, NaN where nothing was logged; the last step as the budget, at least 1.

    Where a loss breaks for good the history has a Breakdown, without a layer: a log does not know it.
    """
    steps = np.unique(np.concatenate([series.steps for series in log.series.values()]))
    steps = steps[:: -(-len(steps) // MOST_ROWS)]
    columns = {"step": steps.astype(np.int64) if (steps % 1 == 0).all() else steps}
    for name, series in log.series.items():
        column = np.full(len(steps), np.nan)
        at = np.searchsorted(steps, series.steps).clip(max=len(steps) - 1)
        there = steps[at] == series.steps
        column[at[there]] = series.values[there]  # of several at one step the last
        columns.setdefault(name, column)
    return History(columns, max(1, int(steps[-1])), _breakdown(log))


def _breakdown(log: Log) -> Breakdown | None:
    where = next(((step, name) for step, name, _ in breaks(log) if name in LOSSES), None)
    if where is None:
        return None
    return Breakdown(int(where[0]), "discriminator" if where[1] == "loss_d" else "generator", "", "loss")
