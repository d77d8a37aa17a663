"""Numbers that broke, or are about to."""

from __future__ import annotations

from collections.abc import Iterator

import ganbench

from .calibrated import confidence, decades, measured, onset, track_record

REMEDY = (
    'loss = "relativistic", optimizer = { name = "adam", lr = 1e-3, betas = [0.0, 0.9] }, '
    'points = { regularizers = [{ name = "r1", weight = 0.05 }, { name = "r2", weight = 0.05 }] }, '
    'images = { regularizers = [{ name = "r1", weight = 0.5 }, { name = "r2", weight = 0.5 }] }'
)


class Divergence(ganbench.Diagnosis):
    """Losses, logits, gradients or weights that are no longer finite, or logits beyond any sense."""

    def __init__(self, *, logit: float = 1e4, rows: int = 5) -> None:
        self.logit = logit
        self.rows = rows

    def diagnose(self, history: ganbench.History) -> Iterator[ganbench.Finding]:
        """A failure where the run broke down, at the step and in the layer; a warning where logits are huge."""
        if history.nonfinite is not None:
            yield self._broken(history.nonfinite, history)
            return
        steps, logits = measured(history, "logit_max")
        first = onset(logits >= self.logit, self.rows)
        if first is not None:
            yield ganbench.Finding(
                diagnosis="divergence",
                horizon="now",
                severity="warning",
                confidence=confidence(steps, first, history.steps, decades(logits[-1], self.logit)),
                onset_step=int(steps[first]),
                summary=f"Logits have grown to {logits[-1]:.3g}: the players drive each other apart.",
                evidence={"logit_max": ganbench.Evidence(float(logits[-1]), self.logit, int(steps[-1]))},
                remedy=ganbench.Remedy.parse(REMEDY),
                track_record=track_record("divergence"),
            )

    def _broken(self, where: ganbench.NonFinite, history: ganbench.History) -> ganbench.Finding:
        steps, logits = measured(history, "logit_max")
        last = {"logit_max": ganbench.Evidence(float(logits[-1]), self.logit, int(steps[-1]))} if len(steps) else {}
        layer = f" of layer {where.layer!r}" if where.layer else ""
        return ganbench.Finding(
            diagnosis="divergence",
            horizon="now",
            severity="failure",
            confidence=1.0,
            onset_step=where.step,
            summary=f"The {where.what}{layer} of the {where.player} is not finite since step {where.step}.",
            evidence=last,
            remedy=ganbench.Remedy.parse(REMEDY),
            track_record=track_record("divergence"),
        )
