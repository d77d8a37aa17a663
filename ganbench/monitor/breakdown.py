"""Where a foreign run's numbers are no longer finite, as far as one look can tell."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ..records import Breakdown
from .networks import Networks

VITAL = ("d_real", "d_fake", "logit_max", "weight_norm_d", "weight_norm_g")


def broken(row: Mapping[str, float]) -> bool:
    """Whether weights or outputs are not finite. A loss alone is not asked: a scaler skips such a step.

    Weights are measured only where there are diagnoses.
    """
    return any(name in row and not math.isfinite(row[name]) for name in VITAL)


def place(step: int, networks: Networks) -> Breakdown:
    """The first weight that is not finite, of D before G; where all are, it is D's output that is not."""
    for player, network in (("discriminator", networks.discriminator), ("generator", networks.generator)):
        for name, weight in network.named_parameters():
            if not bool(weight.detach().isfinite().all()):
                return Breakdown(step, player, name, "weight")  # type: ignore[arg-type]
    return Breakdown(step, "discriminator", "", "output")
