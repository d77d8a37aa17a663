"""A run as diagnoses are tested on it: its history and what is true of it; read from a finished run of the zoo."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from ...contract.errors import RequestError
from ...contract.failures import Status
from ...contract.records import ComponentRef, History, TrialResult
from ...results.store import Store
from ...results.trial_files import UnreadableTrial, read_history
from ..ground_truth.labels import Labels, count_modes, labels

Part = Literal["development", "held-out"]

ZOO_DATASETS = ("ring", "grid", "digits", "stacked-digits")  # weights were fitted on no others
DRAWN_PICTURES = ("shapes",)  # nor on other pictures: real ones are all held-out
SPLIT_SEED = 393  # of 400 tried, chosen by counts of recipes alone: families, data sets and losses are in both parts
PICTURES_SPLIT_SEED = 329  # likewise


@dataclass(frozen=True)
class Recording:
    """One recorded run.

    Attributes:
        run: The id of its trial.
        dataset: Its data set, as the suite labels it.
        recipe: Its method; the part before the slash is its family.
        loss: Its loss, with the loss that this one wraps.
        network: Its generator, the innermost where it wraps another; empty in older recordings.
        seed: Its seed.
        status: How it ended.
        n_modes: How many modes its data has.
        history: What was observed.
        labels: What is true of it.
        seconds: Time to train it.
    """

    run: str
    dataset: str
    recipe: str
    loss: str
    seed: int
    status: str
    n_modes: int
    history: History
    labels: Labels
    seconds: float
    network: str = ""

    @property
    def family(self) -> str:
        """The failure that the recipe was made for, which need not be the one that happened."""
        return self.recipe.partition("/")[0]

    @property
    def part(self) -> Part:
        """The part that the run belongs to, by family, data set and loss (and network, of pictures), never by seed.

        A digest decides, so that a recipe keeps its part whatever is added to the zoo. Runs on data sets that are not
        the zoo's are held-out: nothing was fitted on them.
        """
        data = self.dataset.partition("/")[0]
        if data in ZOO_DATASETS:
            cell = f"{SPLIT_SEED}:{self.family}/{self.dataset}/{self.loss}"
        elif data in DRAWN_PICTURES:
            cell = f"{PICTURES_SPLIT_SEED}:{self.family}/{self.dataset}/{self.network}/{self.loss}"
        else:
            return "held-out"
        return "held-out" if hashlib.sha256(cell.encode()).digest()[0] % 2 else "development"


def until(history: History, step: int) -> History:
    """Return the history as it was at `step` of the same budget."""
    rows = history.columns["step"] <= step
    nonfinite = history.nonfinite if history.nonfinite and history.nonfinite.step <= step else None
    columns = {name: column[rows] for name, column in history.columns.items()}
    for column in columns.values():
        column.flags.writeable = False  # other diagnoses see it, too
    wiring = tuple(fault for fault in history.wiring if fault.step <= step)
    return History(columns, history.steps, nonfinite, wiring)


def step_at(recording: Recording, fraction: float) -> int:
    """Return the observed step nearest to `fraction` of the budget; the last one if the run ended before."""
    steps = recording.history.columns["step"]
    wanted = fraction * recording.history.steps
    near = steps[np.abs(steps - wanted).argmin()]
    return int(near)


def read_recordings(store: Store) -> tuple[list[Recording], list[str]]:
    """Return the recordings of a stored run, and a note for each trial that cannot be one.

    Raises RequestError if no trial has a ground truth.
    """
    results, notes = store.results()
    recordings = []
    for result in results:
        if not (result.status.finished or result.status is Status.DIVERGED):
            notes.append(f"{result.trial.id}: {result.status}")
            continue
        try:
            recordings.append(_recording(store, result))
        except (UnreadableTrial, ValueError, KeyError, TypeError) as error:
            notes.append(f"{result.trial.id}: {error}")
    if not recordings:
        why = f" ({notes[0]})" if notes else ""
        raise RequestError(
            f"{store.folder}: nothing to score: no trial has a history and the metric 'ground-truth'{why}; "
            "run the suite 'failures', or one of yours with that metric"
        )
    return recordings, notes


def _recording(store: Store, result: TrialResult) -> Recording:
    trial = result.trial
    history = read_history(store.folder_of(trial.id))
    nonfinite_at = history.nonfinite.step if history.nonfinite else None
    n_modes = count_modes(trial.data)
    scores = pd.DataFrame([(s.step, s.metric, s.value) for s in result.scores], columns=["step", "metric", "value"])
    return Recording(
        run=trial.id,
        dataset=trial.dataset,
        recipe=trial.method,
        loss=_inner(trial.components.loss.name, trial.components.loss.options),
        seed=trial.seed,
        status=result.status,
        n_modes=n_modes,
        history=History(
            {k: np.asarray(v) for k, v in history.columns.items()},
            trial.training.steps,
            history.nonfinite,
            history.wiring,
        ),
        labels=labels(scores, trial.training.steps, result.status, n_modes, nonfinite_at),
        seconds=result.train_seconds,
        network=_innermost(trial.components.generator),
    )


def _innermost(ref: ComponentRef) -> str:
    """The name of a component, or of the one that it wraps."""
    inner = ref.options.get("inner")
    if isinstance(inner, dict):
        inner = inner.get("name")
    return inner if isinstance(inner, str) else ref.name


def _inner(name: str, options: object) -> str:
    """The name of a loss, with that of the loss that it wraps."""
    inner = options.get("inner") if isinstance(options, dict) else None
    if isinstance(inner, dict):
        inner = inner.get("name")
    return f"{name} {inner}" if inner else name
