"""Zero-centred gradient penalties."""

from __future__ import annotations

import torch

import ganbench


class R1:
    """Squared gradient of D at real samples (Mescheder et al. 2018)."""

    zero_for = "flat"  # where D is constant

    def __init__(self, *, weight: float = 1.0, every: int = 1) -> None:
        if weight < 0 or every < 1:
            raise ValueError(f"weight = {weight} must not be negative, every = {every} at least 1")
        self.weight = weight
        self.every = every

    def penalty(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """weight / 2 * E |grad d(x)|^2."""
        return self.weight / 2 * self._squared_norm(d, real)

    def _squared_norm(self, d: ganbench.Judge, batch: ganbench.Batch) -> torch.Tensor:
        return ganbench.input_gradient(d, batch).flatten(1).square().sum(1).mean()


class R2(R1):
    """Squared gradient of D at generated samples (Mescheder et al. 2018)."""

    def penalty(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """weight / 2 * E |grad d(G(z))|^2."""
        return self.weight / 2 * self._squared_norm(d, fake)
