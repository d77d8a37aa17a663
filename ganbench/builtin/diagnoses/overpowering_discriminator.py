"""D too strong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ganbench

from .calibrated import Calibrated

if TYPE_CHECKING:
    from .counterfactual import Counterfactual


class OverpoweringDiscriminator(Calibrated):
    """D is hardly ever wrong and the generator's learning has stopped. A strong D alone is no failure."""

    name = "overpowering-discriminator"
    probes = ("coverage", "precision", "energy_distance", "fresh_critic_auc", "known_critic_auc")
    shown = {"auc_d": "", "input_gradient": "", "coverage": "coverage_floor"}
    words = (
        "The discriminator has become too strong (AUC {auc_d}): the generator gets no nearer to the data "
        "and has nothing to learn from."
    )
    remedy = (
        'loss = "relativistic", d_steps = 1, d_warmup = 0, '
        'optimizer = { name = "adam", lr = 2e-3, betas = [0.0, 0.9] }, '
        'points = { regularizers = [{ name = "r1", weight = 0.05 }, { name = "r2", weight = 0.05 }] }, '
        'images = { regularizers = [{ name = "r1", weight = 0.5 }, { name = "r2", weight = 0.5 }] }'
    )

    def __init__(self) -> None:
        self._counterfactual: Counterfactual | None = None

    def probe(self, view: ganbench.View) -> dict[str, float]:
        """What would become of the run under a D that is held back: measured on an alarm only."""
        from .counterfactual import Counterfactual  # here: torch, which judging a history need not wait for

        self._counterfactual = self._counterfactual or Counterfactual()
        return self._counterfactual.measure(view)
