"""The diagnosers that are scored: built-in diagnoses, those of every other distribution, heuristics, always-fail."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from ...contract.adapt import adapt, provides
from ...contract.components import Diagnosis
from ...contract.records import Finding, History, Horizon
from ...registry.registry import Registry
from ..ground_truth.labels import FAILURES
from .heuristics import ALWAYS, RULES
from .prediction import HORIZONS, Prediction

OWN = "ganbench"


class Diagnoser(Protocol):
    """Predicts the failures that it `detects` from a history."""

    @property
    def name(self) -> str: ...

    @property
    def detects(self) -> Sequence[str]: ...

    def predict(self, history: History, failure: str) -> Prediction: ...


class DiagnosesOfDistribution:
    """The diagnoses of a distribution, each for the failure that it is named after or declares in `detects`."""

    def __init__(self, name: str, diagnoses: Mapping[str, Diagnosis]) -> None:
        self.name = name
        self._of = diagnoses
        self.notes: dict[str, str] = {}  # by failure: why its diagnosis raised
        self.detects = [failure for failure in FAILURES if failure in diagnoses]

    def predict(self, history: History, failure: str) -> Prediction:
        """Return the diagnosis's own score if it offers one, else the confidence of its findings.

        One that raises scores as low as can be; the first reason is noted.
        """
        try:
            return _predict(self._of[failure], history)
        except (Exception, SystemExit) as error:
            why = f"diagnosis of {failure!r} by {self.name} at step {history.columns['step'][-1]}"
            self.notes.setdefault(failure, f"{why}: {type(error).__name__}: {error}")
            return Prediction(dict.fromkeys(HORIZONS, -math.inf), [])


def _predict(diagnosis: Diagnosis, history: History) -> Prediction:
    findings = list(diagnosis.diagnose(history))
    if provides(diagnosis, "score"):
        scores = {horizon: float(diagnosis.score(history, horizon)) for horizon in HORIZONS}
    else:
        scores = {horizon: _highest_confidence(findings, horizon) for horizon in HORIZONS}
    score = {horizon: -math.inf if math.isnan(value) else value for horizon, value in scores.items()}
    return Prediction(score, [f for f in findings if f.severity == "failure"])


def _highest_confidence(findings: Sequence[Finding], horizon: Horizon) -> float:
    """The confidence of the most confident finding; a present state counts as a forecast if none was made."""
    mine = [f for f in findings if f.horizon == horizon] or findings
    return max((f.confidence * (1.0 if f.severity == "failure" else 0.5) for f in mine), default=0.0)


def diagnosers(registry: Registry) -> tuple[list[Diagnoser], list[str]]:
    """Return all diagnosers to score, and a note for each diagnosis that detects no failure of the zoo."""
    by_origin: dict[str, dict[str, Diagnosis]] = {}
    notes = []
    for entry in registry.entries("diagnosis"):
        try:
            diagnosis: Diagnosis = adapt("diagnosis", entry.build())
        except (Exception, SystemExit) as error:
            notes.append(f"diagnosis {entry.name!r} is left out: {type(error).__name__}: {error}")
            continue
        failure = diagnosis.detects or entry.name
        if failure not in FAILURES:
            notes.append(
                f"diagnosis {entry.name!r} is left out: neither its name nor `detects` is a failure of the zoo"
            )
            continue
        distribution = entry.origin.distribution
        if failure in by_origin.get(distribution, {}):
            distribution = f"{distribution}:{entry.name}"
        by_origin.setdefault(distribution, {})[failure] = diagnosis
    installed: list[Diagnoser] = [
        DiagnosesOfDistribution(name, built) for name, built in sorted(by_origin.items(), key=_own_first)
    ]
    return [*installed, *RULES, ALWAYS], notes


def _own_first(item: tuple[str, object]) -> tuple[bool, str]:
    return item[0] != OWN, item[0]
