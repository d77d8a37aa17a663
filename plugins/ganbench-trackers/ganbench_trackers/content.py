"""What is logged of a trial, the same for every tracker."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import ganbench


def parameters(trial: ganbench.Trial) -> dict[str, Any]:
    """Return what decides a trial's result, nested as its records are; a component is a table of name and options."""
    named = {name: getattr(trial, name) for name in ("suite", "dataset", "method", "seed", "device")}
    return named | {"components": _to_table(trial.components), "training": _to_table(trial.training)}


def flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, bool | int | float | str]:
    """Flatten a nested table to dotted names, without what is None."""
    found: dict[str, bool | int | float | str] = {}
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found |= flatten(value, f"{name}.")
        elif isinstance(value, bool | int | float | str):
            found[name] = value
        elif value is not None:
            found[name] = str(value)
    return found


def history(row: Mapping[str, float]) -> dict[str, float]:
    """Return a row of the history under the names that trackers show."""
    return {f"history/{name}": value for name, value in row.items() if name != "step"}


def scores(result: ganbench.TrialResult) -> dict[int, dict[str, float]]:
    """Return scores and their floors under the names that trackers show, by step in ascending order."""
    found: dict[int, dict[str, float]] = {}
    for score in sorted(result.scores, key=lambda s: s.step):
        found.setdefault(score.step, {}).update(
            {f"scores/{score.metric}": score.value, f"floors/{score.metric}": score.floor}
        )
    return found


def outcome(result: ganbench.TrialResult) -> dict[str, str | int | float]:
    """Return how a trial ended, under the names of trials.csv."""
    return {
        "status": result.status,
        "reason": result.reason,
        "verdicts": "; ".join(result.verdicts),
        "steps": result.steps,
        "train_seconds": result.train_seconds,
        "seconds": result.seconds,
    }


def summary(result: ganbench.TrialResult) -> str:
    """Return how a trial ended and what was found, as Markdown."""
    lines = [f"**{result.status}** after {result.steps} of {result.trial.training.steps} steps"]
    if result.reason:
        lines.append(f"Reason: {result.reason}")
    if result.verdicts:
        lines.append(f"Verdict: {'; '.join(result.verdicts)}")
    for finding in result.findings:
        since = f"since step {finding.onset_step}, confidence {finding.confidence:.0%}"
        lines.append(f"- {finding.diagnosis} ({finding.severity}, {since}): {finding.summary} {finding.remedy}")
    return "\n\n".join(lines)


def _to_table(value: Any) -> Any:
    """Convert records to tables: components by name, lists of plain values as one text."""
    if isinstance(value, ganbench.ComponentRef):
        return {"name": value.name, **_to_table(value.options)}
    if dataclasses.is_dataclass(value):
        return {field.name: _to_table(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _to_table(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        if value and all(isinstance(item, ganbench.ComponentRef) for item in value):
            return {item.name: _to_table(item) for item in value}
        return ", ".join(str(item) for item in value) or None
    return value
