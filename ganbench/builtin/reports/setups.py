"""Say what was compared: what each method consists of, and what all methods share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ganbench

from .numbers import MISSING
from .rankings import distinct, to_records

# Columns of trials.csv that say how a trial ended or where it ran, not what it is.
NOT_SETTINGS = {
    *("suite", "trial", "dataset", "method", "seed", "status", "reason", "verdicts", "failed", "train_seconds"),
    *("seconds", "device", "threads", "left_out", "command", "commit", "run", "folder", "versions"),
}
FIRST = ("loss", "generator", "discriminator", "regularizers", "optimizer", "optimizer_g", "optimizer_d", "batch_size")
ALWAYS_BY_METHOD = ("loss", "generator", "discriminator", "regularizers")
MAX_CELL_CHARS = 160


@dataclass(frozen=True)
class MethodSetup:
    """A row of the table of what was compared: a method, and a text for each column."""

    method: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Setup:
    """What was compared.

    Attributes:
        columns: Names of the settings in which methods differ, and of those that make a method.
        rows: A row for each method.
        shared: Name and value of the settings that are the same for all.
    """

    columns: tuple[str, ...]
    rows: tuple[MethodSetup, ...]
    shared: tuple[tuple[str, str], ...]


def describe_setup(comparison: ganbench.Comparison, methods: Sequence[str]) -> Setup:
    """Return what each method consists of, as far as the table of trials says it.

    Args:
        comparison: The comparison.
        methods: The methods to describe, in the order of rows.
    """
    trials = to_records(comparison.trials)
    names = [str(name) for name in comparison.trials.columns if str(name) not in NOT_SETTINGS]
    names.sort(key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    by_method: dict[str, list[dict[str, Any]]] = {method: [] for method in methods}
    for trial in trials:
        by_method.setdefault(str(trial["method"]), []).append(trial)
    columns: list[str] = []
    shared: list[tuple[str, str]] = []
    cells: dict[str, list[str]] = {method: [] for method in methods}
    for name in names:
        texts = {method: _describe(by_method[method], name) for method in methods}
        if not any(text != MISSING for text in texts.values()):
            continue
        if name not in ALWAYS_BY_METHOD and len(set(texts.values())) == 1:
            shared.append((name.replace("_", " "), next(iter(texts.values()))))
            continue
        columns.append(name.replace("_", " "))
        for method, text in texts.items():
            cells[method].append(text)
    rows = tuple(MethodSetup(method, tuple(cells[method])) for method in methods)
    return Setup(tuple(columns), rows, tuple(shared))


def _describe(trials: Sequence[Mapping[str, Any]], name: str) -> str:
    """Return a setting's value, or its values with the data sets that have them: `mlp (ring, grid), conv (digits)`."""
    datasets: dict[str, list[str]] = {}
    by_dataset: dict[str, list[Any]] = {}
    for trial in trials:
        by_dataset.setdefault(str(trial["dataset"]), []).append(trial[name])
    for dataset, values in by_dataset.items():
        datasets.setdefault(_text_of(values), []).append(dataset)
    if not datasets:
        return MISSING
    if len(datasets) == 1:
        return _shorten(next(iter(datasets)))
    return _shorten(", ".join(f"{text} ({', '.join(names)})" for text, names in datasets.items()))


def _text_of(values: Sequence[Any]) -> str:
    """Return the value of a setting over seeds; of numbers the largest: a run that was lost made fewer steps."""
    known = [value for value in values if value is not None and value != ""]
    if not known:
        return MISSING
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        return f"{max(known):,.10g}"
    return " / ".join(distinct(known))


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_CELL_CHARS else f"{text[: MAX_CELL_CHARS - 1]}…"
