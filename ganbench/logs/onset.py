"""Onsets: since when a condition, or being non-finite, has held to the end of a series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .log import Array, Log, Series

LOSSES = ("loss_d", "loss_g")
MUST_BE_FINITE = (*LOSSES, "score_real", "score_fake", "d_real", "d_fake", "grad_norm_d", "grad_norm_g")
SUSTAINED_SHARE = 0.9  # share of the values since the onset that must meet the condition


SCORES = ("fid", "kid", "inception_score")  # of quality, in order of preference
RATES = ("auc_d", "accuracy_d", "sign_real", "sign_fake")  # measured of D, beside its loss
MAX_TRANSIENT_SHARE = 0.3  # of a series: more NaN stand for "not logged here"


@dataclass(frozen=True, order=True)
class NonFiniteTail:
    """A series that is non-finite from `step` to its end, for `n_values` values."""

    step: float
    name: str
    n_values: int


def sustained_from(met: Array) -> int | None:
    """Return the first index from which a condition has held to the end, with few exceptions.

    Args:
        met: Whether each value meets the condition, boolean, shape (n,).

    Returns:
        The earliest index where it is met and since which at least `SUSTAINED_SHARE` of the values meet it; None if
        fewer than that share of the last tenth (at least three values) do.
    """
    if not len(met) or met[-max(3, len(met) // 10) :].mean() < SUSTAINED_SHARE:
        return None
    share_since = np.cumsum(met[::-1])[::-1] / np.arange(len(met), 0, -1)
    return int(np.flatnonzero(met & (share_since >= SUSTAINED_SHARE))[0])


def nonfinite_from(series: Series) -> int | None:
    """Return the index of the first value of a non-finite tail, None if the last value is finite.

    NaN also stands for "not logged here". If the series has earlier stretches of NaN and went on after them, the tail
    counts only if it is at least three times as long as the longest of them. A series without any finite value counts
    only if it holds an infinity.
    """
    nonfinite = ~np.isfinite(series.values)
    if not len(nonfinite) or not nonfinite[-1]:
        return None
    if nonfinite.all():
        return 0 if np.isinf(series.values).any() else None
    first = int(np.flatnonzero(~nonfinite)[-1]) + 1
    if np.isinf(series.values[first:]).any():
        return first
    before = Series(series.raw, series.steps[:first], series.values[:first])
    return first if len(nonfinite) - first >= 3 * longest_gap(before) else None


def transient_nonfinite(series: Series) -> Array:
    """Return the indices of values that are not finite though finite ones follow, shape (n,).

    None if such values are so many that NaN stands for "not logged here", and for a series that is never finite.
    """
    nonfinite = ~np.isfinite(series.values)
    finite = np.flatnonzero(~nonfinite)
    inside = np.flatnonzero(nonfinite[: finite[-1]]) if len(finite) else np.empty(0, int)
    return inside if len(inside) <= MAX_TRANSIENT_SHARE * len(nonfinite) else inside[:0]


def is_never_finite(series: Series) -> bool:
    """Return whether a series has values, but none that is finite."""
    return len(series) > 0 and not np.isfinite(series.values).any()


def nonfinite_again(log: Log) -> list[NonFiniteTail]:
    """Return the losses, outputs and gradient norms whose last values are not finite, as often before, earliest first.

    These are tails that `nonfinite_tails` does not count, since the series went on after earlier ones; they are longer
    than any of those, in a series that is finite for the most part.
    """
    tails = []
    for name in MUST_BE_FINITE:
        series = log.series.get(name)
        if series is None or not len(series) or np.isfinite(series.values[-1]) or is_never_finite(series):
            continue
        first = int(np.flatnonzero(np.isfinite(series.values))[-1]) + 1
        before = Series(series.raw, series.steps[:first], series.values[:first])
        n_values = len(series) - first
        if nonfinite_from(series) is None and n_values > longest_gap(before) and len(transient_nonfinite(before)):
            tails.append(NonFiniteTail(float(series.steps[first]), name, n_values))
    return sorted(tails)


def broken_measures(log: Log) -> list[NonFiniteTail]:
    """Return the scores and rates that were finite and are not from some value to the end, earliest first."""
    tails = []
    for name in (*SCORES, *RATES):
        series = log.series.get(name)
        if series is not None and not is_never_finite(series) and (first := nonfinite_from(series)) is not None:
            tails.append(NonFiniteTail(float(series.steps[first]), name, len(series) - first))
    return sorted(tails)


def longest_gap(series: Series) -> int:
    """Return the length of the longest stretch of values that are not finite."""
    nonfinite = ~np.isfinite(series.values)
    edges = np.flatnonzero(np.diff(np.r_[False, nonfinite, False].astype(int)))
    return int(np.max(edges[1::2] - edges[::2])) if len(edges) else 0


def nonfinite_tails(log: Log) -> list[NonFiniteTail]:
    """Return the losses, outputs and gradient norms that end in non-finite values, earliest first.

    Losses that are NaN throughout count as non-finite from the first value if none of these series was ever finite.
    """
    watched = {name: log.series[name] for name in MUST_BE_FINITE if name in log.series}
    never_finite = not any(np.isfinite(series.values).any() for series in watched.values())
    tails = []
    for name, series in watched.items():
        first = 0 if never_finite and name in LOSSES else nonfinite_from(series)
        if first is not None:
            tails.append(NonFiniteTail(float(series.steps[first]), name, len(series) - first))
    return sorted(tails)
