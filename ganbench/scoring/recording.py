"""A run as diagnoses are tried on it: its history, and what is true of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..records import History
from ..zoo.truth.labels import Labels

Part = Literal["development", "held-out"]

DEALT = ("ring", "grid", "digits", "stacked-digits")  # data sets of the zoo; weights were fitted on no others
DEAL = 393  # one of four hundred, by counts of recipes alone: families, data sets and losses are in both parts


@dataclass(frozen=True)
class Recording:
    """One recorded run. `recipe` is its method, whose words before the slash are its family."""

    run: str
    dataset: str
    recipe: str
    loss: str
    seed: int
    status: str
    kinds: int
    history: History
    labels: Labels
    seconds: float

    @property
    def family(self) -> str:
        """What the recipe was made for, which need not be what came of it."""
        return self.recipe.partition("/")[0]

    @property
    def part(self) -> Part:
        """Development or held-out: by family, data set and loss together, never by seed.

        A digest decides, so that a recipe keeps its part whatever is added to the zoo. Data sets that are not the zoo's
        are held-out: nothing was fitted on them.
        """
        if self.dataset.partition("/")[0] not in DEALT:
            return "held-out"
        cell = f"{DEAL}:{self.family}/{self.dataset}/{self.loss}"
        return "held-out" if hashlib.sha256(cell.encode()).digest()[0] % 2 else "development"


def until(history: History, step: int) -> History:
    """The history as it was at `step` of the same budget."""
    rows = history.columns["step"] <= step
    broken = history.breakdown if history.breakdown and history.breakdown.step <= step else None
    columns = {name: column[rows] for name, column in history.columns.items()}
    for column in columns.values():
        column.flags.writeable = False  # diagnoses of others see it too
    return History(columns, history.steps, broken)


def step_at(recording: Recording, fraction: float) -> int:
    """The step of the probe nearest to `fraction` of the budget, the last row where the run ended before."""
    steps = recording.history.columns["step"]
    wanted = fraction * recording.history.steps
    near = steps[np.abs(steps - wanted).argmin()]
    return int(near)
