"""Penalties that ask for the wrong thing."""

from __future__ import annotations

import torch

import ganbench


class Variance:
    """The variance of the generated samples, held against G: it draws them together."""

    player = "generator"

    def __init__(self, *, weight: float = 1.0) -> None:
        if weight < 0:
            raise ValueError(f"weight = {weight} must not be negative")
        self.weight = weight

    def penalty(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """weight * variance of G(z) over the batch, mean over dimensions, in units of the real batch's."""
        made, data = (batch.x.var(dim=0, unbiased=False).mean() for batch in (fake, real))
        return self.weight * made / data.clamp_min(1e-6)
