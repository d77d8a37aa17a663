"""When a monitor looks, and when it starts to watch so that there is something to look at."""

from __future__ import annotations

from bisect import bisect_right

from ..observation import Schedule
from ..records import ComponentRef, Evaluation, Training

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
