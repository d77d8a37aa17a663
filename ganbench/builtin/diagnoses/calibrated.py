"""A diagnosis that weighs readings of a history, with weights fitted on the development part of the failure zoo."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

import ganbench

from .readings import probed_rows, read_evidence, until

MIN_FORECAST = 0.5  # probability from which a forecast is reported
MIN_AGE = 0.2  # of the budget: before, a forecast is no more than a warning
LEARNING = 0.3  # decades nearer to the data since the probe before: the distance has halved
MOVED = 0.01  # of the distance of two real samples, summed over observations
LEARNS = " Samples were still getting nearer to the data fast when the budget ended: with more steps it may pass."
ONE_PROBE = " A single probe was made, which does not tell whether the generator was still learning."
CALIBRATION_FILE = Path(__file__).with_name("calibration.json")


@dataclass(frozen=True)
class Model:
    """A logistic regression: the probability of a failure from some readings.

    Attributes:
        weights: The weight of each reading.
        centre: Mean of each reading, to standardize it.
        scale: Standard deviation of each reading, to standardize it.
        healthy: The value of each reading in a healthy run, which stands for one that was not measured.
        bound: What all but a few healthy runs stay within, on the side that is suspect.
        intercept: The logit without any reading.
        failure: The probability from which a state, or a forecast, is a failure.
    """

    weights: Mapping[str, float]
    centre: Mapping[str, float]
    scale: Mapping[str, float]
    healthy: Mapping[str, float]
    bound: Mapping[str, float]
    intercept: float
    failure: float

    def probability(self, numbers: Mapping[str, float]) -> float:
        """Return the probability of the failure; NaN if readings with half of the weight are missing."""
        measured = sum(abs(weight) for name, weight in self.weights.items() if math.isfinite(numbers[name]))
        if measured < sum(map(abs, self.weights.values())) / 2:
            return math.nan
        logit = self.intercept
        for name, weight in self.weights.items():
            value = numbers[name] if math.isfinite(numbers[name]) else self.healthy[name]
            standard = (value - self.centre[name]) / self.scale[name]
            logit += weight * max(-4.0, min(4.0, standard))  # extrapolation is cut off
        return 1 / (1 + math.exp(-logit))


@functools.cache
def load_models(diagnosis: str) -> Mapping[str, Model]:
    """Return the models of a diagnosis, by horizon."""
    fitted = json.loads(CALIBRATION_FILE.read_text(encoding="utf-8"))["models"][diagnosis]
    return {horizon: Model(**model) for horizon, model in fitted.items()}


class Calibrated(ganbench.Diagnosis):
    """Base of the diagnoses that weigh readings.

    Young runs recover: before the end of the budget a state is a `failure` only if the run is old enough and the state
    is forecast to stay, by this probe and by the one before; else it is a `warning`. So it is at the end, where the
    failure `heals` and the distance to the data still halves from probe to probe, or there is no other probe to know by:
    such a run has not failed, but ended.

    Attributes:
        name: The failure.
        text: The summary of a finding, with `{reading}` in place of values.
        remedy: What a finding recommends.
        also_shown: Columns of the history that are evidence as they were measured: by name, the column to compare with,
            or "" for none.
        heals: Whether a G that learns fast recovers from it.
    """

    name: ClassVar[ganbench.Failure]
    text: ClassVar[str]
    remedy: ClassVar[ganbench.Remedy]
    also_shown: ClassVar[Mapping[str, str]] = {}
    heals: ClassVar[bool] = False

    def score(self, history: ganbench.History, horizon: ganbench.Horizon) -> float:
        """Return the probability of the failure now, or at the end of the budget; 0 if nothing was measured.

        It is 0 too for numbers that are not finite: they say nothing about the players.
        """
        if _is_uninformative(history):
            return 0.0
        numbers = read_evidence(history)
        forecast = load_models(self.name)["end"].probability(numbers)
        probability = self.probability_now(numbers) if horizon == "now" else forecast
        return 0.0 if math.isnan(probability) else probability

    def probability_now(self, numbers: Mapping[str, float]) -> float:
        """Return the probability of the failure now, from readings; NaN if too few of them were measured."""
        return load_models(self.name)["now"].probability(numbers)

    def diagnose(self, history: ganbench.History) -> Iterator[ganbench.Finding]:
        """Yield a finding of the present state, and a forecast while there is budget left."""
        if _is_uninformative(history):
            return
        numbers = read_evidence(history)
        ended = numbers["age"] >= 1
        now, end = (load_models(self.name)[horizon] for horizon in ("now", "end"))
        present, forecast = self.probability_now(numbers), self.steady_forecast(history)
        stays = (
            not self.doubt_at_end(history, numbers) if ended else numbers["age"] >= MIN_AGE and forecast >= end.failure
        )
        severity: ganbench.Severity = "failure" if stays else "warning"
        if present >= now.failure:
            yield self._finding(history, numbers, "now", severity, present)
        if forecast >= MIN_FORECAST and not ended:
            yield self._finding(history, numbers, "end", severity, forecast)

    def doubt_at_end(self, history: ganbench.History, numbers: Mapping[str, float]) -> str:
        """Return why the state at the end of the budget is no failure yet, as a sentence that follows others; else ""."""
        if not self.heals:
            return ""
        if is_learning(numbers):
            return LEARNS
        distances = np.asarray(history.columns.get("energy_distance", ()), dtype=float)
        return ONE_PROBE if np.isfinite(distances).sum() == 1 else ""

    def steady_forecast(self, history: ganbench.History) -> float:
        """Return the probability of the failure at the end: the lower one of the last two probes."""
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
            summary=self._summary(history, numbers, horizon)
            + (self.doubt_at_end(history, numbers) if numbers["age"] >= 1 else ""),
            evidence={
                **{
                    name: ganbench.Evidence(numbers[name], model.bound[name], step)
                    for name in sorted(model.weights, key=lambda name: -abs(model.weights[name]))
                    if math.isfinite(numbers[name])
                },
                **{
                    column: ganbench.Evidence(latest(history, column), latest(history, other) if other else None, step)
                    for column, other in self.also_shown.items()
                    if latest(history, column) is not None
                },
            },
            remedy=self.remedy,
            track_record=track_record(self.name),
        )

    def explain(self, history: ganbench.History, numbers: Mapping[str, float]) -> str:
        """Return what is the matter, in a sentence."""
        return self.text.format(**{name: _evidence_text(value) for name, value in numbers.items()})

    def _summary(self, history: ganbench.History, numbers: Mapping[str, float], horizon: ganbench.Horizon) -> str:
        summary = self.explain(history, numbers)
        return summary if horizon == "now" else f"Expected at the end of the budget: {summary[0].lower()}{summary[1:]}"

    def _onset(self, history: ganbench.History) -> int:
        """The first probe since which the state has been there, or where G had moved by then; else the present step."""
        steps, model = history.columns["step"], load_models(self.name)["now"]
        since = int(steps[-1])
        for row in probed_rows(history)[::-1]:
            if not self.probability_now(read_evidence(until(history, row))) >= model.failure:
                break
            since = int(steps[row])
        return max(since, _first_move(history))


def latest(history: ganbench.History, column: str) -> float | None:
    """Return the last finite value of a column; None without one."""
    values = np.asarray(history.columns.get(column, ()), dtype=float)
    finite = values[np.isfinite(values)]
    return float(finite[-1]) if len(finite) else None


def is_learning(numbers: Mapping[str, float]) -> bool:
    """Return whether the distance to the data has halved since the probe before, and had fallen then as well.

    With two probes alone, whether it has halved: what was before is not known.
    """
    gain, of_two = numbers["distance_gain"], numbers["distance_gain_of_two"]
    return gain >= LEARNING and (math.isnan(of_two) or of_two >= gain)


def _first_move(history: ganbench.History) -> int:
    """The first observation by which G had moved: what it is before is nobody's doing. 0 if it never moves."""
    speed = np.nan_to_num(np.asarray(history.columns.get("motion_speed", ()), dtype=float))
    moved = np.flatnonzero(speed.cumsum() >= MOVED)
    return int(history.columns["step"][moved[0]]) if len(moved) else 0


def _is_uninformative(history: ganbench.History) -> bool:
    return history.nonfinite is not None or not len(history.columns.get("step", ()))


def track_record(diagnosis: str) -> str:
    """Return how the remedy has fared in the zoo, in a sentence; empty if it was not tried."""
    return str(json.loads(CALIBRATION_FILE.read_text(encoding="utf-8")).get("track_records", {}).get(diagnosis, ""))


def _evidence_text(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "unknown"
