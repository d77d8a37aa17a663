"""DRAGAN's gradient penalty."""

from __future__ import annotations

import torch

import ganbench


class Dragan:
    """Gradient norm of D drawn to 1 around real samples (DRAGAN, Kodali et al. 2017)."""

    zero_for = "unit-slope"  # where the gradient of D has norm 1

    def __init__(self, *, weight: float = 10.0, spread: float = 0.5) -> None:
        if weight < 0 or spread < 0:
            raise ValueError(f"weight = {weight} and spread = {spread} must not be negative")
        self.weight = weight
        self.spread = spread

    def penalty(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """weight * E (|grad d(x + noise)| - 1)^2, noise uniform up to `spread` standard deviations of the batch."""
        noise = self.spread * real.x.std() * torch.rand_like(real.x)
        norm = ganbench.input_gradient(d, ganbench.Batch(real.x + noise, real.labels)).flatten(1).norm(dim=1)
        return self.weight * (norm - 1).square().mean()
