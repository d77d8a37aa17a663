"""At which steps a monitor observes, and from which step before them it captures calls."""

from __future__ import annotations

from bisect import bisect_right

from ..contract.records import ComponentRef, Evaluation, Training
from ..training.schedule import Schedule

NEVER = -1
MAX_OBSERVATIONS = 40  # as in the failure zoo, on which diagnoses were fitted
MAX_LEAD_STEPS = 16  # steps before an observation in which calls are captured


class MonitorSchedule:
    """The observations and probes of a run of `budget` steps with batches of `batch_size`.

    Attributes:
        batch_size: Samples in a batch of the loop.
        lead_steps: Steps before an observation in which calls are captured: one, unless G is trained less often.
    """

    def __init__(self, budget: int, batch_size: int) -> None:
        unnamed = ComponentRef("unknown")
        training = Training(budget, batch_size, unnamed, unnamed, observations=MAX_OBSERVATIONS)
        schedule = Schedule.of(training, Evaluation((), at=()))
        self._observe = sorted(schedule.observe)
        self._probe = schedule.probe
        self.batch_size = batch_size
        self.lead_steps = 1

    def next_observation(self, step: int) -> int:
        """Return the first step after `step` that is observed; NEVER if there is none."""
        i = bisect_right(self._observe, step)
        return self._observe[i] if i < len(self._observe) else NEVER

    def is_probe(self, step: int) -> bool:
        """Return whether probes are taken at an observation."""
        return step in self._probe

    def extend_lead(self) -> None:
        """Capture from twice as many steps before an observation, after G was not trained in the last ones."""
        self.lead_steps = min(2 * self.lead_steps, MAX_LEAD_STEPS)
