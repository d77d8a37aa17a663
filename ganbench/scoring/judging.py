"""Every diagnoser on every recording, at every fraction of the budget: one table of what was said and what is true."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ..records import History
from ..zoo.truth.labels import FRACTIONS
from .diagnosers import Diagnoser
from .judgement import HORIZONS
from .recording import Recording, step_at, until

COLUMNS = [
    *("diagnoser", "diagnosis", "part", "horizon", "fraction", "run", "recipe", "dataset", "healthy"),
    *("true", "suspicion", "found", "confidence", "onset", "true_onset", "steps"),
]


def judge(recordings: Sequence[Recording], diagnosers: Sequence[Diagnoser]) -> pd.DataFrame:
    """A row for each diagnoser, failure, horizon, fraction and recording. A diagnosis sees the past alone."""
    rows = []
    for recording in recordings:
        for fraction in FRACTIONS:
            past = until(recording.history, step_at(recording, fraction))
            for diagnoser in diagnosers:
                rows += _rows(recording, fraction, past, diagnoser)
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(recording: Recording, fraction: float, past: History, diagnoser: Diagnoser) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    state = recording.labels.state.get(fraction, frozenset())
    for failure in diagnoser.detects:
        judged = diagnoser.judge(past, failure)
        found = judged.finding
        for horizon in HORIZONS:
            truth = state if horizon == "now" else recording.labels.end
            rows.append(
                (
                    *(diagnoser.name, failure, recording.part, horizon, fraction, recording.run),
                    *(f"{recording.recipe} on {recording.dataset}", recording.dataset, recording.labels.healthy),
                    *(failure in truth, judged.suspicion[horizon], found is not None),
                    *(found.confidence if found else 0.0, found.onset_step if found else None),
                    *(recording.labels.onset.get(failure), recording.history.steps),
                )
            )
    return rows
