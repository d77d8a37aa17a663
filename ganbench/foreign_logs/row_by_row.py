"""Rows that come one at a time, each with what was logged at that moment, handed on in chunks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .gathering import Gathering

ROWS = 5_000  # at a time


class RowByRow:
    """Takes rows of raw name -> value and gives a `Gathering` columns."""

    def __init__(self, gathering: Gathering) -> None:
        self._gathering = gathering
        self._columns: dict[str, tuple[list[int], list[float]]] = {}
        self._n = 0

    def add(self, row: Mapping[str, float]) -> None:
        for raw, value in row.items():
            positions, values = self._columns.setdefault(raw, ([], []))
            positions.append(self._n)
            values.append(value)
        self._n += 1
        if self._n == ROWS:
            self.flush()

    def flush(self) -> None:
        """Hand on what has come since the last time."""
        columns = {raw: (np.array(at, dtype=int), np.array(values)) for raw, (at, values) in self._columns.items()}
        if self._n:
            self._gathering.add_rows(self._n, columns)
        self._columns, self._n = {}, 0
