"""Methods against each other on one metric of one data set: ranks that admit ties, and verdicts that admit doubt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from .statistics import LEVEL, least_p_value, p_better, p_value

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Standing:
    """A method's place: its rank, the probability that the top method beats it, and the verdict."""

    rank: int
    p_better: float
    verdict: str


def standings(values: Mapping[str, Array]) -> dict[str, Standing]:
    """Rank methods by their chance to beat the others seed by seed.

    `values` holds a value per seed, turned so that higher is better, -inf for a seed that was lost: so a failure
    counts against its method, in the rank too. Against the top method, each other one is `worse` where a
    two-sided permutation test says so at 5 %, `inconclusive` where so few seeds could not have said it, else `tied`.
    """
    chances = {
        name: np.mean([p_better(mine, other) for rival, other in values.items() if rival != name] or [1.0])
        for name, mine in values.items()
    }
    ranks = stats.rankdata([-round(float(chance), 12) for chance in chances.values()], method="min")
    places = dict(zip(chances, (int(rank) for rank in ranks), strict=True))
    top = min(places, key=lambda name: places[name])
    verdicts = {name: _against(values[top], other) for name, other in values.items() if name != top}
    return {
        name: Standing(
            rank=places[name],
            p_better=0.5 if name == top else p_better(values[top], values[name]),
            verdict=_of_top(list(verdicts.values())) if name == top else verdicts[name],
        )
        for name in values
    }


def _against(top: Array, other: Array) -> str:
    if not np.isfinite(top).any():
        return "inconclusive"  # nobody has a score
    if np.array_equal(np.sort(top), np.sort(other)):
        return "tied"
    if least_p_value(len(top), len(other)) > LEVEL:
        return "inconclusive"
    return "worse" if p_value(top, other) <= LEVEL else "tied"


def _of_top(others: list[str]) -> str:
    for verdict in ("tied", "inconclusive"):
        if verdict in others:
            return verdict
    return "best"
