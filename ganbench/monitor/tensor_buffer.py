"""A bounded buffer of tensors whose rows belong together: the newest rows are kept."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

MAX_ROWS = 8192
MAX_BYTES = 256 * 2**20


class SampleBuffer:
    """Columns of one length, at most `MAX_ROWS` rows and `MAX_BYTES`; the oldest rows are dropped first."""

    def __init__(self, columns: Sequence[Tensor] = ()) -> None:
        self.columns: list[Tensor] = list(columns)

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0

    def append(self, columns: Sequence[Tensor]) -> None:
        """Append rows; if their shapes, types or devices have changed, they replace all rows."""
        if [_row_format(column) for column in columns] == [_row_format(column) for column in self.columns]:
            joined = [torch.cat(pair) for pair in zip(self.columns, columns, strict=True)]
        else:
            joined = list(columns)
        limit = row_limit(joined)
        self.columns = [column[-limit:] for column in joined]

    def every_second(self, start: int) -> SampleBuffer:
        """Return every second row, from `start` on."""
        return SampleBuffer([column[start::2] for column in self.columns])


def row_limit(columns: Sequence[Tensor]) -> int:
    """Return how many rows of such columns may be held."""
    row_bytes = sum(column[:1].nbytes for column in columns)
    return max(2, min(MAX_ROWS, MAX_BYTES // max(row_bytes, 1)))


def _row_format(column: Tensor) -> tuple[tuple[int, ...], torch.dtype, torch.device]:
    return tuple(column.shape[1:]), column.dtype, column.device
