"""Who is scored: the built-in diagnoses together, every other distribution's, rules of folklore, and always-fail."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ...contract.adapt import provides
from ...contract.records import Finding, History, Horizon
from ...registry.registry import Registry
from ..ground_truth.labels import FAILURES
from .heuristics import ALWAYS, RULES
from .prediction import HORIZONS, Prediction

OWN = "ganbench"


class Diagnoser(Protocol):
    """Judges histories as to the failures that it `detects`."""

    @property
    def name(self) -> str: ...

    @property
    def detects(self) -> Sequence[str]: ...

    def predict(self, history: History, failure: str) -> Prediction: ...


class OfDiagnoses:
    """A distribution's diagnoses, each for the failure that it is named after or declares in `detects`."""

    def __init__(self, name: str, diagnoses: Mapping[str, Any]) -> None:
        self.name = name
        self._of = diagnoses
        self.notes: dict[str, str] = {}  # by failure: why its diagnosis was not heard
        self.detects = [failure for failure in FAILURES if failure in diagnoses]

    def predict(self, history: History, failure: str) -> Prediction:
        """The diagnosis's own score where it offers one, else the confidence of its findings.

        One that raises finds and suspects nothing of this history; the first reason is noted.
        """
        try:
            return _heard(self._of[failure], history)
        except (Exception, SystemExit) as error:
            why = f"diagnosis of {failure!r} by {self.name} at step {history.columns['step'][-1]}"
            self.notes.setdefault(failure, f"{why}: {type(error).__name__}: {error}")
            return Prediction(dict.fromkeys(HORIZONS, -math.inf), [])


def _heard(diagnosis: Any, history: History) -> Prediction:
    findings = list(diagnosis.diagnose(history))
    if provides(diagnosis, "score"):
        own = {horizon: float(diagnosis.score(history, horizon)) for horizon in HORIZONS}
    else:
        own = {horizon: _surest(findings, horizon) for horizon in HORIZONS}
    score = {horizon: -math.inf if math.isnan(value) else value for horizon, value in own.items()}
    return Prediction(score, [f for f in findings if f.severity == "failure"])


def _surest(findings: Sequence[Finding], horizon: Horizon) -> float:
    """The surest finding's confidence; a state stands in for a forecast that was not made."""
    mine = [f for f in findings if f.horizon == horizon] or findings
    return max((f.confidence * (1.0 if f.severity == "failure" else 0.5) for f in mine), default=0.0)


def diagnosers(registry: Registry) -> tuple[list[Diagnoser], list[str]]:
    """Everyone to be scored, and a note for each diagnosis that says of no failure of the zoo that it detects it."""
    by_origin: dict[str, dict[str, Any]] = {}
    notes = []
    for entry in registry.entries("diagnosis"):
        try:
            diagnosis = entry.build()
        except (Exception, SystemExit) as error:
            notes.append(f"diagnosis {entry.name!r} is left out: {type(error).__name__}: {error}")
            continue
        failure = diagnosis.detects or entry.name
        if failure not in FAILURES:
            notes.append(
                f"diagnosis {entry.name!r} is left out: it is named after no failure, and `detects` names none"
            )
            continue
        whose = entry.origin.distribution
        if failure in by_origin.get(whose, {}):
            whose = f"{whose}:{entry.name}"
        by_origin.setdefault(whose, {})[failure] = diagnosis
    theirs: list[Diagnoser] = [OfDiagnoses(name, made) for name, made in sorted(by_origin.items(), key=_own_first)]
    return [*theirs, *RULES, ALWAYS], notes


def _own_first(item: tuple[str, Any]) -> tuple[bool, str]:
    return item[0] != OWN, item[0]
