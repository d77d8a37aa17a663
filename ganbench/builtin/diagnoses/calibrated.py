"""When a condition has held from some step to the end: what makes a state of a run, and not a moment of it.

A diagnosis that weighs what a history says, with weights fitted on the development part of the failure zoo.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import ganbench

from .readings import probed_rows, read_evidence, until

Array = np.ndarray[Any, Any]

KEPT_SHARE = 0.9  # of the observations since the onset must meet the condition
CERTAIN_MARGIN = 0.2  # of the budget: a state that has held so long is certain


def measured(history: ganbench.History, *names: str) -> tuple[Array, ...]:
    """The steps and columns `names`, at the rows where all of them were measured; empty where one is missing."""
    columns = history.columns
    if any(name not in columns for name in ("step", *names)):
        return tuple(np.empty(0) for _ in range(len(names) + 1))
    rows = np.all([np.isfinite(columns[name]) for name in names], axis=0)
    return tuple(columns[name][rows] for name in ("step", *names))


def onset(met: Array, at_least: int) -> int | None:
    """The earliest row from which the condition has held to the end but for a few rows.

    None where it does not hold now, or has not for `at_least` rows.
    """
    if len(met) < at_least or not met[-at_least:].all():
        return None
    held = np.cumsum(met[::-1])[::-1] / np.arange(len(met), 0, -1)
    return int(np.flatnonzero(met & (held >= KEPT_SHARE))[0])


def confidence(steps: Array, first: int, budget: int, margin: float) -> float:
    """How sure a state is that has held since row `first`: from 1/2 up to 1 when it has lasted and is clear.

    `margin` says how far the signals are beyond their thresholds: 0 on them, 1 and more clearly beyond.
    """
    lasted = (steps[-1] - steps[first]) / budget
    return float(round(0.5 + 0.5 * min(1.0, lasted / CERTAIN_MARGIN, max(0.0, margin)), 3))


def decades(larger: float, smaller: float) -> float:
    """The margin of a quantity that spans orders of magnitude: 1 at ten times."""
    return math.log10(max(larger, 1e-300) / max(smaller, 1e-300))


STOP_CONFIDENCE = 0.5  # probability from which a state or a forecast is spoken of
MIN_AGE = 0.2  # of the budget: before, a forecast is no more than a warning
CALIBRATION_FILE = Path(__file__).with_name("calibration.json")


@dataclass(frozen=True)
class Model:
    """A logistic regression: the probability of a failure from some numbers of `reading`.

    `centre` and `scale` standardize each number; one that was not measured counts as a healthy run's, `healthy`.
    `failure` is the probability from which a state, or a forecast, is one.
    """

    weights: Mapping[str, float]
    centre: Mapping[str, float]
    scale: Mapping[str, float]
    healthy: Mapping[str, float]
    bound: Mapping[str, float]  # what all but a few healthy runs stay within, on the side that is suspect
    intercept: float
    failure: float

    def probability(self, numbers: Mapping[str, float]) -> float:
        """From 0 to 1. NaN where less than half of what it weighs was measured: it does not guess."""
        measured = sum(abs(weight) for name, weight in self.weights.items() if math.isfinite(numbers[name]))
        if measured < sum(map(abs, self.weights.values())) / 2:
            return math.nan
        logit = self.intercept
        for name, weight in self.weights.items():
            value = numbers[name] if math.isfinite(numbers[name]) else self.healthy[name]
            standard = (value - self.centre[name]) / self.scale[name]
            logit += weight * max(-4.0, min(4.0, standard))  # what is far out was never seen, and weighs no more
        return 1 / (1 + math.exp(-logit))


@functools.cache
def load_models(diagnosis: str) -> Mapping[str, Model]:
    """The models of a diagnosis by horizon."""
    fitted = json.loads(CALIBRATION_FILE.read_text(encoding="utf-8"))["models"][diagnosis]
    return {horizon: Model(**model) for horizon, model in fitted.items()}


class Calibrated(ganbench.Diagnosis):
    """What the diagnoses that weigh signals have in common.

    Young runs heal: before the end of the budget a state is a `failure` only where the run is old enough and it is
    forecast to stay, by this probe and by the one before; else it is a `warning`.
    """

    name: ClassVar[str]
    words: ClassVar[str]  # the textbook's, with `{reading}`s in between
    remedy: ClassVar[str]
    shown: ClassVar[Mapping[str, str]] = {}  # columns of the history that speak for themselves -> what to hold against

    def score(self, history: ganbench.History, horizon: ganbench.Horizon) -> float:
        """The probability of the failure now, or at the end of the budget; 0 where nothing was measured.

        Also 0 of numbers that broke: they tell nothing of what the players were like.
        """
        if _is_uninformative(history):
            return 0.0
        probability = load_models(self.name)[horizon].probability(read_evidence(history))
        return 0.0 if math.isnan(probability) else probability

    def diagnose(self, history: ganbench.History) -> Iterator[ganbench.Finding]:
        """A finding of the state, and one of the end while there is budget left."""
        if _is_uninformative(history):
            return
        numbers = read_evidence(history)
        over = numbers["age"] >= 1
        now, end = (load_models(self.name)[horizon] for horizon in ("now", "end"))
        present, to_come = now.probability(numbers), self.steady_forecast(history)
        stays = over or (numbers["age"] >= MIN_AGE and to_come >= end.failure)
        severity: ganbench.Severity = "failure" if stays else "warning"
        if present >= now.failure:
            yield self._finding(history, numbers, "now", severity, present)
        if to_come >= STOP_CONFIDENCE and not over:
            yield self._finding(history, numbers, "end", severity, to_come)

    def steady_forecast(self, history: ganbench.History) -> float:
        """The probability that the failure is there at the end, by the last two probes: the lower one."""
        probes = probed_rows(history)[-2:]
        forecasts = [load_models(self.name)["end"].probability(read_evidence(until(history, row))) for row in probes]
        return min(forecasts) if len(forecasts) == 2 else 0.0

    def _finding(
        self,
        history: ganbench.History,
        numbers: Mapping[str, float],
        horizon: ganbench.Horizon,
        severity: ganbench.Severity,
        probability: float,
    ) -> ganbench.Finding:
        model = load_models(self.name)[horizon]
        step = int(history.columns["step"][-1])
        return ganbench.Finding(
            diagnosis=self.name,
            horizon=horizon,
            severity=severity,
            confidence=round(probability, 3),
            onset_step=self._onset(history),
            summary=self._summary(numbers, horizon),
            evidence={
                **{
                    name: ganbench.Evidence(numbers[name], model.bound[name], step)
                    for name in sorted(model.weights, key=lambda name: -abs(model.weights[name]))
                    if math.isfinite(numbers[name])
                },
                **{
                    column: ganbench.Evidence(latest(history, column), latest(history, other) if other else None, step)
                    for column, other in self.shown.items()
                    if latest(history, column) is not None
                },
            },
            remedy=ganbench.Remedy.parse(self.remedy),
            track_record=track_record(self.name),
        )

    def _summary(self, numbers: Mapping[str, float], horizon: ganbench.Horizon) -> str:
        said = self.words.format(**{name: _evidence_text(value) for name, value in numbers.items()})
        return said if horizon == "now" else f"Expected at the end of the budget: {said[0].lower()}{said[1:]}"

    def _onset(self, history: ganbench.History) -> int:
        """The first probe since which the state has been there; the present step where it is not."""
        steps, model = history.columns["step"], load_models(self.name)["now"]
        since = int(steps[-1])
        for row in probed_rows(history)[::-1]:
            if not model.probability(read_evidence(until(history, row))) >= model.failure:
                break
            since = int(steps[row])
        return since


def latest(history: ganbench.History, column: str) -> float | None:
    """The last finite value of a column; None without one."""
    values = np.asarray(history.columns.get(column, ()), dtype=float)
    finite = values[np.isfinite(values)]
    return float(finite[-1]) if len(finite) else None


def _is_uninformative(history: ganbench.History) -> bool:
    return history.nonfinite is not None or not len(history.columns.get("step", ()))


def track_record(diagnosis: str) -> str:
    """How the remedy has fared in the zoo, in a sentence; empty where it was not tried."""
    return str(json.loads(CALIBRATION_FILE.read_text(encoding="utf-8")).get("track_records", {}).get(diagnosis, ""))


def _evidence_text(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "unknown"
