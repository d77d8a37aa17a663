"""Numbers that are no longer finite, or about to be."""

from __future__ import annotations

from collections.abc import Iterator

import ganbench

from .calibrated import confidence, decades, measured, onset, track_record

REMEDY = ganbench.Remedy(
    {
        "loss": "relativistic",
        "optimizer": {"name": "adam", "lr": 0.001, "betas": [0.0, 0.9]},
        "points": {"regularizers": [{"name": "r1", "weight": 0.05}, {"name": "r2", "weight": 0.05}]},
        "images": {"regularizers": [{"name": "r1", "weight": 0.5}, {"name": "r2", "weight": 0.5}]},
    }
)


class Divergence(ganbench.Diagnosis):
    """Losses, logits, gradients or weights that are no longer finite, or logits beyond any reason."""

    def __init__(self, *, logit: float = 1e4, rows: int = 5) -> None:
        self.logit = logit
        self.rows = rows

    def diagnose(self, history: ganbench.History) -> Iterator[ganbench.Finding]:
        """Return a failure at the step and in the layer where numbers stopped being finite; a warning for huge logits."""
        if history.nonfinite is not None:
            yield self._nonfinite(history.nonfinite, history)
            return
        steps, logits = measured(history, "logit_max")
        first = onset(logits >= self.logit, self.rows)
        if first is not None:
            yield ganbench.Finding(
                diagnosis=ganbench.Failure.DIVERGENCE,
                horizon="now",
                severity="warning",
                confidence=confidence(steps, first, history.steps, decades(logits[-1], self.logit)),
                onset_step=int(steps[first]),
                summary=f"Logits have grown to {logits[-1]:.3g}: the players drive each other apart.",
                evidence={"logit_max": ganbench.Evidence(float(logits[-1]), self.logit, int(steps[-1]))},
                remedy=REMEDY,
                track_record=track_record(ganbench.Failure.DIVERGENCE),
            )

    def _nonfinite(self, where: ganbench.NonFinite, history: ganbench.History) -> ganbench.Finding:
        steps, logits = measured(history, "logit_max")
        last = {"logit_max": ganbench.Evidence(float(logits[-1]), self.logit, int(steps[-1]))} if len(steps) else {}
        layer = f" of layer {where.layer!r}" if where.layer else ""
        return ganbench.Finding(
            diagnosis=ganbench.Failure.DIVERGENCE,
            horizon="now",
            severity="failure",
            confidence=1.0,
            onset_step=where.step,
            summary=f"The {where.what}{layer} of the {where.player} is not finite since step {where.step}.",
            evidence=last,
            remedy=REMEDY,
            track_record=track_record(ganbench.Failure.DIVERGENCE),
        )
