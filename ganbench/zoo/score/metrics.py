"""How well scores order runs; intervals by resampling recipes, since runs of one recipe are alike."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score

Array = np.ndarray

RESAMPLES = 500
INTERVAL = (0.025, 0.975)


def auroc(true: Array, score: Array) -> float:
    """Return P(a run with the failure scores higher than one without), ties counting half; NaN without both kinds."""
    return _weighted(_wins(true, score), true, np.ones((1, len(true))))[0]


def auroc_interval(true: Array, score: Array, recipe: Array) -> tuple[float, float]:
    """Return a 95 % bootstrap interval over recipes; NaN without both kinds."""
    wins = _wins(true, score)
    values = _weighted(wins, true, _resampled(recipe))
    values = values[np.isfinite(values)]
    if not len(values):
        return np.nan, np.nan
    low, high = np.quantile(values, INTERVAL)
    return float(low), float(high)


def auprc(true: Array, score: Array) -> float:
    """Return the average precision; NaN without a run with the failure."""
    if not true.any():
        return np.nan
    ranks = np.unique(score, return_inverse=True)[1]  # only the order counts, and infinities are not numbers
    return float(average_precision_score(true, ranks))


def precision_recall(true: Array, found: Array) -> tuple[float, float]:
    """Return precision and recall of findings; NaN where there are none."""
    right = float((true & found).sum())
    return (right / found.sum() if found.any() else np.nan), (right / true.sum() if true.any() else np.nan)


def _wins(true: Array, score: Array) -> Array:
    """(positives, negatives): 1 where the positive is more suspect, 1/2 where they tie."""
    ranks = np.unique(score, return_inverse=True)[1]
    positive, negative = ranks[true][:, None], ranks[~true][None, :]
    return (positive > negative) + 0.5 * (positive == negative)


def _weighted(wins: Array, true: Array, weights: Array) -> Array:
    positive, negative = weights[:, true], weights[:, ~true]
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.einsum("rp,pn,rn->r", positive, wins, negative, optimize=True) / pairs


def _resampled(recipe: Array) -> Array:
    """How often each run is in each resample of recipes, (resamples, runs)."""
    names, which = np.unique(recipe, return_inverse=True)
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)
    return drawn[:, which].astype(float)
