"""When a monitor looks, and when it starts to watch so that there is something to look at.

The newest rows of several tensors that belong together.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import torch
from torch import Tensor

from ..contract.records import ComponentRef, Evaluation, Training
from ..training.schedule import Schedule

NEVER = -1
OBSERVATIONS = 40  # as many as in the failure zoo, on which diagnoses were fitted
LONGEST = 16  # steps before an observation from which calls are watched, at most


class Timetable:
    """The observations and probes of a run of `budget` steps with batches of `batch_size`.

    Calls are watched from `lead` steps before an observation: one, unless G does not learn in every step.
    """

    def __init__(self, budget: int, batch_size: int) -> None:
        unnamed = ComponentRef("unknown")
        training = Training(budget, batch_size, unnamed, unnamed, observations=OBSERVATIONS)
        schedule = Schedule.of(training, Evaluation((), at=()))
        self._observe = sorted(schedule.observe)
        self._probe = schedule.probe
        self.batch_size = batch_size
        self.lead = 1

    def next(self, step: int) -> int:
        """The first observation after `step`; NEVER where there is none."""
        i = bisect_right(self._observe, step)
        return self._observe[i] if i < len(self._observe) else NEVER

    def probed(self, step: int) -> bool:
        return step in self._probe

    def watch_longer(self) -> None:
        """Twice as long before an observation, as in the last steps there was not everything to be seen."""
        self.lead = min(2 * self.lead, LONGEST)


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
