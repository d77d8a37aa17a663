"""D too strong."""

from __future__ import annotations

from collections.abc import Iterator

import ganbench

from .counterfactual import Counterfactual
from .sustained import confidence, decades, measured, onset

REMEDY = (
    'regularizers = [{ name = "r1", weight = 1.0 }]; or a lower lr in optimizer_d, or d_steps = 1; '
    'with loss = "minimax", loss = "non-saturating"'
)


class OverpoweringDiscriminator:
    """D is never wrong and its judgement is flat: the generator's learning has stopped.

    A state: AUC_D and the gradient that G learns from, held for `rows` observations. A strong D alone is no
    failure (many good runs have one), and a small gradient alone none either: a weak D gives one too.
    """

    def __init__(self, *, auc: float = 0.98, gradient: float = 1e-3, rows: int = 5) -> None:
        self._counterfactual = Counterfactual()
        self.auc = auc
        self.gradient = gradient
        self.rows = rows

    def probe(self, view: ganbench.View) -> dict[str, float]:
        """What would become of the run under a D that is held back: measured on an alarm only."""
        return self._counterfactual.measure(view)

    def diagnose(self, history: ganbench.History) -> Iterator[ganbench.Finding]:
        """At most one finding."""
        steps, auc, gradient = measured(history, "auc_d", "input_gradient")
        first = onset((auc >= self.auc) & (gradient < self.gradient), self.rows)
        if first is None:
            return
        now = int(steps[-1])
        yield ganbench.Finding(
            diagnosis="overpowering-discriminator",
            horizon="now",
            severity="failure",
            confidence=confidence(steps, first, history.steps, decades(self.gradient, gradient[-1])),
            onset_step=int(steps[first]),
            summary=(
                f"The discriminator tells every generated sample from a real one (AUC {auc[-1]:.3f}) and its judgement "
                f"is flat there (gradient {gradient[-1]:.2g}): the generator has nothing to learn from."
            ),
            evidence={
                "auc_d": ganbench.Evidence(float(auc[-1]), self.auc, now),
                "input_gradient": ganbench.Evidence(float(gradient[-1]), self.gradient, now),
            },
            remedy=REMEDY,
        )
