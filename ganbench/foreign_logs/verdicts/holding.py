"""Since when a condition has held to the end."""

from __future__ import annotations

import numpy as np

from ..log import Array

KEPT = 0.9  # of the values since the onset must meet the condition


def held_from(met: Array) -> int | None:
    """The earliest value from which the condition has held to the end but for a few; None where it does not now.

    It holds now if it does for most of the last tenth of the values.
    """
    if not len(met) or met[-max(3, len(met) // 10) :].mean() < KEPT:
        return None
    held = np.cumsum(met[::-1])[::-1] / np.arange(len(met), 0, -1)
    return int(np.flatnonzero(met & (held >= KEPT))[0])
