"""D too weak."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import ganbench

from .sustained import beyond, confidence, graded, measured

REMEDY = (
    "a wider or deeper discriminator, a higher lr in optimizer_d (or a lower one in optimizer_g), d_steps = 2; "
    "a smaller weight for its regularizers"
)


class WeakDiscriminator:
    """D lets pass what any fresh critic would catch: the generator is told that bad samples are good.

    A state: what a fresh critic sees beyond its floor and beyond what D sees, held for `rows` probes.
    """

    probes = ("fresh_critic_auc", "known_critic_auc")

    def __init__(self, *, blindness: float = 0.3, suspicion: float = 0.2, rows: int = 2) -> None:
        self.blindness = blindness
        self.suspicion = suspicion
        self.rows = rows

    def diagnose(self, history: ganbench.History) -> Iterator[ganbench.Finding]:
        """At most one finding: a failure above `blindness`, a warning above `suspicion`."""
        steps, auc, critic, floor = measured(history, "known_critic_auc", "fresh_critic_auc", "fresh_critic_auc_floor")
        unseen = critic - np.maximum(floor, 0.5) - (np.maximum(auc, 0.5) - 0.5)
        grade = graded(unseen, self.blindness, self.suspicion, self.rows)
        if grade is None:
            return
        severity, threshold, first = grade
        now = int(steps[-1])
        yield ganbench.Finding(
            diagnosis="weak-discriminator",
            horizon="now",
            severity=severity,
            confidence=confidence(steps, first, history.steps, beyond(unseen[-1], threshold)),
            onset_step=int(steps[first]),
            summary=(
                f"A fresh critic tells generated samples from real ones (AUC {critic[-1]:.3f}) far better than the "
                f"discriminator does (AUC {auc[-1]:.3f}): it lets bad samples pass."
            ),
            evidence={
                "fresh_critic_auc": ganbench.Evidence(float(critic[-1]), float(max(floor[-1], 0.5)), now),
                "known_critic_auc": ganbench.Evidence(float(auc[-1]), float(critic[-1] - threshold), now),
                "unseen": ganbench.Evidence(float(unseen[-1]), threshold, now),
            },
            remedy=REMEDY,
        )
