"""Tries every diagnoser on every recording, at every fraction of the budget: one table of predictions and truth."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ...contract.records import History
from ..ground_truth.labels import FRACTIONS
from .diagnosers import Diagnoser
from .prediction import HORIZONS
from .recordings import Recording, step_at, until

COLUMNS = [
    *("diagnoser", "diagnosis", "part", "horizon", "fraction", "run", "recipe", "dataset", "healthy"),
    *("true", "score", "found", "alarm", "confidence", "true_onset", "steps", "last_step"),
]


def evaluate(recordings: Sequence[Recording], diagnosers: Sequence[Diagnoser]) -> pd.DataFrame:
    """Return a row for each diagnoser, failure, horizon, fraction and recording. A diagnosis sees the past alone.

    `found` says whether it finds the failure at that horizon, `alarm` at either; `confidence` is the higher of both.
    """
    rows = []
    for recording in recordings:
        for fraction in FRACTIONS:
            past = until(recording.history, step_at(recording, fraction))
            for diagnoser in diagnosers:
                rows += _rows(recording, fraction, past, diagnoser)
    return pd.DataFrame(rows, columns=COLUMNS)


def rows_at_end(recording: Recording, history: History, diagnoser: Diagnoser) -> list[tuple[object, ...]]:
    """Return the rows of a diagnoser that is shown another history of a recorded run, at the end of its budget."""
    return _rows(recording, 1.0, history, diagnoser)


def _rows(recording: Recording, fraction: float, past: History, diagnoser: Diagnoser) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    state = recording.labels.state.get(fraction, frozenset())
    for failure in diagnoser.detects:
        prediction = diagnoser.predict(past, failure)
        for horizon in HORIZONS:
            truth = state if horizon == "now" else recording.labels.end
            rows.append(
                (
                    *(diagnoser.name, failure, recording.part, horizon, fraction, recording.run),
                    *(f"{recording.recipe} on {recording.dataset}", recording.dataset, recording.labels.healthy),
                    *(failure in truth, prediction.score[horizon], prediction.finds(horizon)),
                    *(bool(prediction.findings), prediction.confidence, recording.labels.onset.get(failure)),
                    *(recording.history.steps, int(recording.history.columns["step"][-1])),
                )
            )
    return rows
