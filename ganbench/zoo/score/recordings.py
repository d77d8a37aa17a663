"""A run as diagnoses are tried on it: its history, and what is true of it.

A finished run of the zoo to recordings.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from ...contract.errors import RequestError
from ...contract.records import History, TrialResult
from ...results.store import Store
from ...results.trial_files import UnreadableTrial, read_history
from ..ground_truth.labels import Labels, failures_of, labels

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
    broken = history.nonfinite if history.nonfinite and history.nonfinite.step <= step else None
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


TRIED = ("done", "stopped", "diverged")


def read_recordings(store: Store) -> tuple[list[Recording], list[str]]:
    """The recordings of a stored run, and a note for each trial that is none.

    Raises RequestError where no trial has a ground truth.
    """
    results, notes = store.results()
    made = []
    for result in results:
        if result.status not in TRIED:
            notes.append(f"{result.trial.id}: {result.status}")
            continue
        try:
            made.append(_recording(store, result))
        except (UnreadableTrial, ValueError, KeyError, TypeError) as error:
            notes.append(f"{result.trial.id}: {error}")
    if not made:
        why = f" ({notes[0]})" if notes else ""
        raise RequestError(
            f"{store.folder}: nothing to score: no trial has a history and the metric 'ground-truth'{why}; "
            "run the suite 'failures', or one of yours with that metric"
        )
    return made, notes


def _recording(store: Store, result: TrialResult) -> Recording:
    trial = result.trial
    history = read_history(store.folder_of(trial.id))
    broke_at = history.nonfinite.step if history.nonfinite else None
    kinds = failures_of(trial.data)
    scores = pd.DataFrame([vars_of(score) for score in result.scores], columns=["step", "metric", "value"])
    return Recording(
        run=trial.id,
        dataset=trial.dataset,
        recipe=trial.method,
        loss=_inner(trial.components.loss.name, trial.components.loss.options),
        seed=trial.seed,
        status=result.status,
        kinds=kinds,
        history=History(
            {k: np.asarray(v) for k, v in history.columns.items()}, trial.training.steps, history.nonfinite
        ),
        labels=labels(scores, trial.training.steps, result.status, kinds, broke_at),
        seconds=result.train_seconds,
    )


def vars_of(score: object) -> dict[str, object]:
    """The parts of a score that labels are made from."""
    return {name: getattr(score, name) for name in ("step", "metric", "value")}


def _inner(name: str, options: object) -> str:
    """The loss that a wrapped one stands on."""
    inner = options.get("inner") if isinstance(options, dict) else None
    if isinstance(inner, dict):
        inner = inner.get("name")
    return f"{name} {inner}" if inner else name
