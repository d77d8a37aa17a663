"""After which steps a run is observed, probed and evaluated. In between there is nothing but training."""

from __future__ import annotations

from dataclasses import dataclass

from ..contract.records import Evaluation, Training

PROBE_FRACTIONS = (0.05, 0.1, 0.25, 0.5, 0.75, 1.0)  # fractions of the budget
MAX_SIGNAL_SAMPLES, MIN_SIGNAL_SAMPLES = 128, 32  # behind each signal; fewer of expensive networks
OBSERVED_SHARE = 0.04  # of the training samples seen in a run, how many observations may use
MIN_OBSERVATIONS = 20  # observations that a short run gets in spite of that
MIN_INTERVAL_STEPS = 10  # steps between two observations, at least


@dataclass(frozen=True)
class Schedule:
    """Steps, counted as done, after which the run is observed, probed and evaluated, by cheap metrics and by all."""

    observe: frozenset[int]
    probe: frozenset[int]
    evaluate: frozenset[int]
    evaluate_expensive: frozenset[int] = frozenset()

    @classmethod
    def of(cls, training: Training, evaluation: Evaluation) -> Schedule:
        """Spread observations evenly over the budget, the last at its end; probes are made at observations.

        There are as many as the training asks for, unless they would use more than their share of samples.
        """
        steps = training.steps
        affordable = min(round(MAX_SIGNAL_SAMPLES / (OBSERVED_SHARE * training.batch_size)), steps // MIN_OBSERVATIONS)
        interval = max(min(MIN_INTERVAL_STEPS, steps), steps // training.observations, affordable)
        observe = frozenset(range(interval, steps + 1, interval)) | {steps}
        probe = frozenset(min(observe, key=lambda step: (abs(step - share * steps), step)) for share in PROBE_FRACTIONS)
        evaluate, expensive = (
            frozenset(max(1, round(share * steps)) for share in shares)
            for shares in (evaluation.at, evaluation.expensive_at)
        )
        return cls(observe, probe, evaluate, expensive)

    @property
    def stops(self) -> list[int]:
        """Every step after which training pauses, in order."""
        return sorted(self.observe | self.evaluate | self.evaluate_expensive)
