"""Convert a log to the history that diagnoses read."""

from __future__ import annotations

import numpy as np

from ..contract.records import History, NonFinite
from .log import Log
from .onset import LOSSES, nonfinite_tails

MAX_HISTORY_ROWS = 50_000


def to_history(log: Log) -> History:
    """Return the series of a log as columns over the union of their steps, NaN where nothing was logged.

    The budget is the last step, at least 1. If a loss ends non-finite, `nonfinite` names the player and the step; its
    `layer` is empty, since a log does not say where the values came from.
    """
    steps = np.unique(np.concatenate([series.steps for series in log.series.values()]))
    steps = steps[:: -(-len(steps) // MAX_HISTORY_ROWS)]
    columns = {"step": steps.astype(np.int64) if (steps % 1 == 0).all() else steps}
    for name, series in log.series.items():
        column = np.full(len(steps), np.nan)
        rows = np.searchsorted(steps, series.steps).clip(max=len(steps) - 1)
        kept = steps[rows] == series.steps
        column[rows[kept]] = series.values[kept]  # the last of several values at one step
        columns.setdefault(name, column)
    return History(columns, max(1, int(steps[-1])), _nonfinite_loss(log))


def _nonfinite_loss(log: Log) -> NonFinite | None:
    tail = next((tail for tail in nonfinite_tails(log) if tail.name in LOSSES), None)
    if tail is None:
        return None
    return NonFinite(int(tail.step), "discriminator" if tail.name == "loss_d" else "generator", "", "loss")
