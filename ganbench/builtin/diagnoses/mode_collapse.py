"""Modes missing."""

from __future__ import annotations

from collections.abc import Iterator

import ganbench

from .sustained import beyond, confidence, graded, measured

REMEDY = (
    'loss = "relativistic" with regularizers = ["r1", "r2"]; or a lower lr in optimizer_g, g_steps = 1; '
    "a larger batch_size"
)


class ModeCollapse:
    """Regions of the real data that the generator does not reach.

    A state: the coverage of held-out data by generated samples, over that by real ones, held for `rows` probes.
    """

    probes = ("coverage", "precision", "empty_bins", "energy_distance", "spread", "nearest_training", "memory_gap")

    def __init__(self, *, missing: float = 0.2, suspicion: float = 0.1, rows: int = 2) -> None:
        self.missing = missing
        self.suspicion = suspicion
        self.rows = rows

    def diagnose(self, history: ganbench.History) -> Iterator[ganbench.Finding]:
        """At most one finding: a failure above `missing`, a warning above `suspicion`."""
        steps, coverage, floor = measured(history, "coverage", "coverage_floor")
        missing = 1 - coverage / floor
        grade = graded(missing, self.missing, self.suspicion, self.rows)
        if grade is None:
            return
        severity, threshold, first = grade
        yield ganbench.Finding(
            diagnosis="mode-collapse",
            horizon="now",
            severity=severity,
            confidence=confidence(steps, first, history.steps, beyond(missing[-1], threshold)),
            onset_step=int(steps[first]),
            summary=f"The generator does not reach {missing[-1]:.0%} of the real data: modes are missing.",
            evidence={
                "coverage": ganbench.Evidence(float(coverage[-1]), float((1 - threshold) * floor[-1]), int(steps[-1]))
            },
            remedy=REMEDY,
        )
