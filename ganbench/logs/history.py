"""A log as a history of ours, and where its numbers stop being finite."""

from __future__ import annotations

import numpy as np

from ..contract.records import History, NonFinite
from .log import Log, Series

MOST_ROWS = 50_000


def to_history(log: Log) -> History:
    """The series as columns over all steps, NaN where nothing was logged; the last step as the budget, at least 1.

    Where a loss breaks for good the history has a NonFinite, without a layer: a log does not know it.
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


def _breakdown(log: Log) -> NonFinite | None:
    where = next(((step, name) for step, name, _ in breaks(log) if name in LOSSES), None)
    if where is None:
        return None
    return NonFinite(int(where[0]), "discriminator" if where[1] == "loss_d" else "generator", "", "loss")


LOSSES = ("loss_d", "loss_g")


VITAL = (*LOSSES, "score_real", "score_fake", "d_real", "d_fake", "grad_norm_d", "grad_norm_g")


def broken_from(series: Series) -> int | None:
    """The first of the values that end a series and are not finite; None where the last one is finite.

    NaN alone also stands for "not logged here": where a series had stretches of it before and went on, the last one
    must be three times as long as any of them. A series that was never finite says nothing, unless it is infinite.
    """
    broken = ~np.isfinite(series.values)
    if not len(broken) or not broken[-1]:
        return None
    if broken.all():
        return 0 if np.isinf(series.values).any() else None
    first = int(np.flatnonzero(~broken)[-1]) + 1
    if np.isinf(series.values[first:]).any():
        return first
    ends = np.flatnonzero(np.diff(np.r_[False, broken[:first], False].astype(int)))
    longest = int(np.max(ends[1::2] - ends[::2])) if len(ends) else 0
    return first if len(broken) - first >= 3 * longest else None


def breaks(log: Log) -> list[tuple[float, str, int]]:
    """The vital series that end in values that are not finite: since which step, which, and for how many values.

    Losses that are NaN throughout have broken before they were first logged, where nothing vital was ever finite.
    """
    vital = {name: log.series[name] for name in VITAL if name in log.series}
    never = not any(np.isfinite(series.values).any() for series in vital.values())
    found = []
    for name, series in vital.items():
        first = 0 if never and name in LOSSES else broken_from(series)
        if first is not None:
            found.append((float(series.steps[first]), name, len(series) - first))
    return sorted(found)
