"""A finished run of the zoo to recordings."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..errors import RequestError
from ..records import History, TrialResult
from ..store import Store, Unreadable, read_history
from ..zoo.truth.labels import kinds_of, labels
from .recording import Recording

TRIED = ("done", "stopped", "diverged")


def recordings_of(store: Store) -> tuple[list[Recording], list[str]]:
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
        except (Unreadable, ValueError, KeyError, TypeError) as error:
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
    history = read_history(store.trials / trial.id)
    broke_at = history.breakdown.step if history.breakdown else None
    kinds = kinds_of(trial.data)
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
            {k: np.asarray(v) for k, v in history.columns.items()}, trial.training.steps, history.breakdown
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
