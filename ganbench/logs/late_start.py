"""Leave out D's loss from before D starts: programs that train an autoencoder first log it as 0 until then."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .log import Series
from .names import D_WORDS, IGNORED_WORDS, split_words

WEIGHT_WORDS = frozenset({"weight", "factor"})
MIN_LEADING_ZEROS = 3
MIN_LOSS_AFTER = 0.05  # median of D's loss once it has started; one that stays near 0 is that of a D that has won


def is_weight_of_d(raw: str) -> bool:
    """Return whether a column holds the weight of the adversarial loss, such as `disc_weight` or `train/disc_factor`."""
    words = set(split_words(raw)) - IGNORED_WORDS
    return len(words) == 2 and bool(words & D_WORDS) and bool(words & WEIGHT_WORDS)


def drop_before_start(loss: Series, weights: Iterable[Series]) -> Series:
    """Return D's loss since D started, empty if it never did.

    D has not started where its weight is 0. Where no weight was logged, it has not while its loss is exactly 0, provided
    that the loss is not near 0 later.

    Args:
        loss: D's loss.
        weights: The weights that were logged, see `is_weight_of_d`.
    """
    for weight in weights:
        active = weight.values != 0
        if active.all():
            continue
        begin = weight.steps[np.argmax(active)] if active.any() else np.inf
        return loss.since(float(begin))
    nonzero = np.flatnonzero(loss.values != 0)
    if not len(nonzero) or nonzero[0] < MIN_LEADING_ZEROS:
        return loss
    after = loss.values[nonzero[0] :]
    after = after[np.isfinite(after)]
    if not len(after) or np.median(np.abs(after)) < MIN_LOSS_AFTER:
        return loss
    return loss.since(float(loss.steps[nonzero[0]]))
