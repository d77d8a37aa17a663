"""Least-squares loss."""

from __future__ import annotations

import torch

import ganbench


class LeastSquares:
    """Least squares to 1 for real and 0 for generated (LSGAN, Mao et al. 2017)."""

    def discriminator(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """(E (d(x) - 1)^2 + E d(G(z))^2) / 2."""
        return ((d(real) - 1).square().mean() + d(fake).square().mean()) / 2

    def generator(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """E (d(G(z)) - 1)^2 / 2."""
        return (d(fake) - 1).square().mean() / 2

    def probabilities(self, real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The least-squares optimum is itself the probability of being real."""
        return real.clamp(0, 1), fake.clamp(0, 1)
