"""The log of one training run in one form, whatever format it was read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..contract.records import Evidence

Array = np.ndarray[Any, Any]

MAX_LISTED_NAMES = 8
MAX_NAME_CHARS = 80


class UnreadableLog(Exception):
    """A file that holds no readable log. The message says why and leaves out the path, which the caller adds."""


@dataclass(frozen=True)
class Series:
    """One logged quantity over training.

    Attributes:
        raw: The name in the log, in printable form.
        steps: Step of each value, shape (n,), non-decreasing.
        values: Shape (n,); may hold NaN and infinities.
    """

    raw: str
    steps: Array
    values: Array

    def __len__(self) -> int:
        return len(self.values)

    @property
    def finite(self) -> Series:
        """The series without its non-finite values."""
        finite = np.isfinite(self.values)
        return Series(self.raw, self.steps[finite], self.values[finite])

    def since(self, step: float) -> Series:
        """Return the series from a step on."""
        kept = self.steps >= step
        return Series(self.raw, self.steps[kept], self.values[kept])

    def between(self, begin: float, end: float) -> Array:
        """Return the values between two fractions of the range of steps, both ends included."""
        first, span = self.steps[0], self.steps[-1] - self.steps[0]
        return self.values[(self.steps >= first + begin * span) & (self.steps <= first + end * span)]

    def median(self, begin: float = 0.0, end: float = 1.0) -> float:
        """Return the median of `between(begin, end)`, NaN if that is empty."""
        part = self.between(begin, end)
        return float(np.median(part)) if len(part) else float("nan")

    def last_as_evidence(self, threshold: float | None) -> Evidence:
        """Return the last value, its step and a threshold as evidence."""
        return Evidence(float(self.values[-1]), threshold, int(self.steps[-1]))


@dataclass(frozen=True)
class Log:
    """The log of one run.

    Attributes:
        name: Name of the run: that of the file or folder, or what the log itself says.
        sources: The files that were read.
        unit: What the steps count: "step", "epoch", "kimg", ...; "row" if the log has no counter.
        rows: Number of rows read.
        series: Recognised signals by canonical name (see `names`), other columns by their own name, up to a limit.
        recognised: Keys of `series` that are canonical names.
        unrecognised: Names of the log's columns that are not.
        notes: What was corrected, dropped or assumed while reading.
        labels: Suite, dataset, method and seed, as far as the log states them.
    """

    name: str
    sources: tuple[Path, ...]
    unit: str
    rows: int
    series: Mapping[str, Series]
    recognised: tuple[str, ...]
    unrecognised: tuple[str, ...]
    notes: tuple[str, ...]
    labels: Mapping[str, object] = field(default_factory=dict)

    def get(self, name: str, min_values: int = 1) -> Series | None:
        """Return the finite values of a series, None if there are fewer than `min_values`."""
        series = self.series[name].finite if name in self.series else None
        return series if series is not None and len(series) >= min_values else None

    def format_step(self, step: float) -> str:
        """Return a step with its unit: `step 400`, `kimg 25.2`."""
        return f"{self.unit} {step:.10g}"


def describe_log(log: Log) -> str:
    """Return one line with the number of rows, the last step and the name that each recognised column was read as."""
    known = [name if name == log.series[name].raw else f"{log.series[name].raw} as {name}" for name in log.recognised]
    last = max(float(series.steps[-1]) for series in log.series.values())
    others = f"; not recognised: {join_names(log.unrecognised)}" if log.unrecognised else ""
    return f"{log.rows} rows up to {log.format_step(last)}; read {', '.join(known)}{others}"


def printable(text: str) -> str:
    """Return a name from a file in a form that is safe for a terminal and for JSON: one line, at most 80 characters."""
    text = text if len(text) <= MAX_NAME_CHARS else f"{text[:MAX_NAME_CHARS]}..."
    return "".join(char if char.isprintable() else "?" for char in text)


def join_names(names: Sequence[str]) -> str:
    """Join the first names of a list with commas and count the rest."""
    rest = len(names) - MAX_LISTED_NAMES
    return ", ".join(names[:MAX_LISTED_NAMES]) + (f" and {rest} more" if rest > 0 else "")
