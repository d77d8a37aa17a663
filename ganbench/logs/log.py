"""What a log of another program says, in one form whatever its format was.

A log in the form that diagnoses read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..contract.records import Evidence

Array = np.ndarray[Any, Any]

SHOWN = 8  # names in a line
LONGEST_NAME = 80  # characters


class NothingToRead(Exception):
    """A file without a log that can be read; the message says what it is instead, without the file's name."""


@dataclass(frozen=True)
class Series:
    """One quantity over training: `values` at `steps`, both of shape (n,), steps never going back."""

    raw: str  # its name in the log, as it may be shown
    steps: Array
    values: Array

    def __len__(self) -> int:
        return len(self.values)

    @property
    def finite(self) -> Series:
        """The same without what is not finite."""
        kept = np.isfinite(self.values)
        return Series(self.raw, self.steps[kept], self.values[kept])

    def part(self, begin: float, end: float) -> Array:
        """The values logged between two fractions of the steps that the series spans, both ends included."""
        first, span = self.steps[0], self.steps[-1] - self.steps[0]
        return self.values[(self.steps >= first + begin * span) & (self.steps <= first + end * span)]

    def median(self, begin: float = 0.0, end: float = 1.0) -> float:
        """The median of such a part; NaN where it is empty."""
        part = self.part(begin, end)
        return float(np.median(part)) if len(part) else float("nan")

    def last(self, threshold: float | None) -> Evidence:
        """The last value against a threshold."""
        return Evidence(float(self.values[-1]), threshold, int(self.steps[-1]))


@dataclass(frozen=True)
class Log:
    """The log of one run.

    `series` holds what was recognised by our names (see `names`) and the rest, up to a bound, by its own.
    """

    name: str
    sources: tuple[Path, ...]
    unit: str  # what its steps count: "step", "epoch", "kimg", ...
    rows: int
    series: Mapping[str, Series]
    recognised: tuple[str, ...]  # which of the series go by our names
    unplaced: tuple[str, ...]  # names in the log that stayed as they are
    notes: tuple[str, ...]  # what a reader of findings should know of the log
    place: Mapping[str, object] = field(default_factory=dict)  # suite, dataset, method and seed, as far as it says

    def get(self, name: str, at_least: int = 1) -> Series | None:
        """The finite values of a series; None where there are fewer than `at_least`."""
        found = self.series[name].finite if name in self.series else None
        return found if found is not None and len(found) >= at_least else None

    def at(self, step: float) -> str:
        """A step as text: `step 400`, `kimg 25.2`."""
        return f"{self.unit} {step:.10g}"


def what_was_read(log: Log) -> str:
    """One line: how many rows, up to which step, and what was taken for what."""
    known = [name if name == log.series[name].raw else f"{log.series[name].raw} as {name}" for name in log.recognised]
    last = max(float(series.steps[-1]) for series in log.series.values())
    others = f"; not recognised: {listed(log.unplaced)}" if log.unplaced else ""
    return f"{log.rows} rows up to {log.at(last)}; read {', '.join(known)}{others}"


def printable(text: str) -> str:
    """A name out of a file as it may go to a terminal or into JSON: one line of no great length."""
    text = text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}..."
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def listed(names: Sequence[str]) -> str:
    """Names as text, the first few of many."""
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
