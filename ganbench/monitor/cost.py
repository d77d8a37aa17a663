"""What looking at a loop costs beside its training: operations are counted, since a time would differ from run to run."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..observation.probes import count_probe_samples
from ..observation.signals import count_signal_samples
from .capture import Captured

SHARE = 0.012  # of the loop's operations that looks may take: with all that is not counted, 3 % of its time
FREE_FLOPS = 1e10  # that looks may take in any run: about a second of one core
DETECTION_PASSES = 3 * 16  # through D, in which the sign of its logits is found
BACKWARD = 2  # passes that a backward pass costs


def count_passes(captured: Captured) -> tuple[int, int]:
    """Return how many samples captured calls passed through G and through D; a backward pass counts as two more."""
    trained = {id(call.generated) for call in captured.discriminator_calls if call.trains_g}
    of_g = sum(call.call.n * (1 + BACKWARD * (id(call) in trained)) for call in captured.generator_calls)
    of_d = sum(call.call.n * (1 + BACKWARD) for call in captured.discriminator_calls)
    return of_g, of_d


@dataclass(frozen=True)
class LookCost:
    """The operations of a loop, and of looking at it.

    Attributes:
        generator, discriminator: Floating-point operations of passing a sample through a network.
        embedding: Of computing what probes compare samples in.
        step: Of a step of the loop.
        values: In a sample.
        are_pictures: Whether samples are.
    """

    generator: float
    discriminator: float
    embedding: float
    step: float
    values: int
    are_pictures: bool

    @property
    def per_sample(self) -> float:
        """Operations of all that a probe does with a generated sample."""
        return self.generator + self.discriminator + self.embedding

    def looks(self, observations: int, probes: int, samples: int) -> float:
        """Return the operations of so many observations and probes, whose floors are measured once.

        Args:
            observations: How many.
            probes: How many of them.
            samples: That a probe takes of a kind.
        """
        n = count_signal_samples(samples, self.values)
        observation = 2 * n * self.generator + (2 * n + DETECTION_PASSES) * self.discriminator
        n, n_made, n_searched = count_probe_samples(samples, self.values, self.are_pictures)
        floor = 2 * n * self.discriminator + (2 * n + n_made) * self.embedding
        return observations * observation + probes * ((n_made + n_searched) * self.generator + floor) + floor

    def is_affordable(self, operations: float, steps: int) -> bool:
        """Return whether looks may take so many operations in a run of `steps` steps.

        Where operations cannot be counted, looks are taken for as dear as they can be.
        """
        return math.isfinite(operations) and operations <= max(FREE_FLOPS, SHARE * self.step * steps)
