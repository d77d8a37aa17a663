"""At which steps a monitor observes and probes, from which step before them it captures calls, and how much it looks at."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace

from ..contract.records import ComponentRef, Evaluation, Training
from ..training.schedule import Schedule
from ..training.view import MIN_PROBE_SAMPLES
from .cost import LookCost

NEVER = -1
MAX_OBSERVATIONS = 40  # as in the failure zoo, on which diagnoses were fitted
MAX_LEAD_STEPS = 16  # steps before an observation in which calls are captured
YOUNG_SHARE = 0.2  # of the budget, before which dear probes are left out: what they find is no more than a warning
# What is done where looks are dear, step by step. Observations are left out from the beginning, and the distance between
# the others stays: how far samples move from one to the next is compared with how far they move in other runs. Three
# probes, at 50, 75 and 100 %, are kept as long as can be, since they tell a run that fails from one that still learns.
REDUCED_LOOKS = (  # the last observations, probes, and samples of a kind in each
    *((20, 6, 128), (20, 3, 128), (12, 3, 128), (8, 3, 128), (12, 3, 64), (8, 3, 64), (6, 3, 64)),
    *((4, 3, 64), (4, 3, 32), (2, 3, 32), (2, 2, 32), (1, 1, 32)),
)


@dataclass(frozen=True)
class Looks:
    """The steps at which a run is observed and probed, in order, and how many samples of a kind a probe takes."""

    observe: tuple[int, ...]
    probe: tuple[int, ...]
    samples: int


class MonitorSchedule:
    """The observations and probes of a run of `budget` steps with batches of `batch_size`.

    Attributes:
        batch_size: Samples in a batch of the loop.
        lead_steps: Steps before an observation in which calls are captured: one, unless G is trained less often.
    """

    def __init__(self, budget: int, batch_size: int) -> None:
        self.batch_size, self._budget = batch_size, budget
        self.lead_steps = 1
        self._looks = self._spread(MIN_PROBE_SAMPLES)

    def fit(self, cost: LookCost, samples: int) -> tuple[int, str]:
        """Take as many looks as cost their share of the loop's time at most; the last probe is made whatever it costs.

        Args:
            cost: Of the loop and of looks.
            samples: That a probe takes of a kind, at most.

        Returns:
            How many samples a probe takes, and a line about what is left out; empty if nothing is.
        """
        all_looks = self._spread(samples)
        if samples < 2 * MIN_PROBE_SAMPLES:
            grown = tuple(step for step in all_looks.probe if step >= YOUNG_SHARE * self._budget)
            all_looks = replace(all_looks, probe=grown)
        self._looks = all_looks
        for observations, probes, fewer in REDUCED_LOOKS:
            operations = cost.looks(len(self._looks.observe), len(self._looks.probe), self._looks.samples)
            if cost.is_affordable(operations, self._budget):
                break
            probe = all_looks.probe[-probes:]
            observe = tuple(sorted({*all_looks.observe[-observations:], *probe}))
            self._looks = Looks(observe, probe, min(samples, fewer))
        return self._looks.samples, "" if self._looks == all_looks else self._describe_reduction(all_looks)

    def drop_all_but_last(self) -> bool:
        """Take no more looks but the last, which the verdict needs; return whether there were others."""
        before = self._looks
        self._looks = replace(before, observe=before.observe[-1:], probe=before.probe[-1:])
        return self._looks != before

    def next_observation(self, step: int) -> int:
        """Return the first step after `step` that is observed; NEVER if there is none."""
        observe = self._looks.observe
        i = bisect_right(observe, step)
        return observe[i] if i < len(observe) else NEVER

    def is_probe(self, step: int) -> bool:
        """Return whether probes are taken at an observation."""
        return step in self._looks.probe

    def extend_lead(self) -> None:
        """Capture from twice as many steps before an observation, after G was not trained in the last ones."""
        self.lead_steps = min(2 * self.lead_steps, MAX_LEAD_STEPS)

    def _spread(self, samples: int) -> Looks:
        """Spread looks over the budget as those of a trial."""
        unnamed = ComponentRef("unknown")
        training = Training(self._budget, self.batch_size, unnamed, unnamed, observations=MAX_OBSERVATIONS)
        schedule = Schedule.of(training, Evaluation((), at=()))
        return Looks(tuple(sorted(schedule.observe)), tuple(sorted(schedule.probe)), samples)

    def _describe_reduction(self, all_looks: Looks) -> str:
        left, whole = self._looks, all_looks
        smaller = f" of {left.samples} samples instead of {whole.samples}" if left.samples < whole.samples else ""
        return (
            f"to cost no more than 3 % of so short a run, the monitor makes the last {len(left.observe)} of "
            f"{len(whole.observe)} observations and the last {len(left.probe)} of {len(whole.probe)} probes{smaller}: "
            "failures may be found later, or not at all"
        )
