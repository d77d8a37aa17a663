"""The newest rows of several tensors that belong together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

MOST = 8192  # rows
MOST_BYTES = 256 * 2**20


class Rows:
    """Columns of one length: at most `MOST` rows and `MOST_BYTES`, the oldest go first."""

    def __init__(self, columns: Sequence[Tensor] = ()) -> None:
        self.columns: list[Tensor] = list(columns)

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0

    def add(self, columns: Sequence[Tensor]) -> None:
        """More rows. Where their shapes are no longer those of before, they are all there is."""
        if [kind_of(column) for column in columns] == [kind_of(column) for column in self.columns]:
            joined = [torch.cat(pair) for pair in zip(self.columns, columns, strict=True)]
        else:
            joined = list(columns)
        most = rows_that_fit(joined)
        self.columns = [column[-most:] for column in joined]

    def every_other(self, start: int) -> Rows:
        """Half of the rows."""
        return Rows([column[start::2] for column in self.columns])


def rows_that_fit(columns: Sequence[Tensor]) -> int:
    """How many rows of such columns may be held."""
    row = sum(column[:1].nbytes for column in columns)
    return max(2, min(MOST, MOST_BYTES // max(row, 1)))


def kind_of(column: Tensor) -> tuple[tuple[int, ...], torch.dtype, torch.device]:
    """What columns must share to be joined."""
    return tuple(column.shape[1:]), column.dtype, column.device
