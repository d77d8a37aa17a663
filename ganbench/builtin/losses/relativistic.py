"""Relativistic paired loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F

import ganbench

from .midpoint import around_midpoint


class Relativistic:
    """D tells a real sample from a generated one beside it (Jolicoeur-Martineau 2019; R3GAN, Huang et al. 2024)."""

    probabilities = staticmethod(around_midpoint)

    def discriminator(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """-E log sigmoid(d(x) - d(G(z)))."""
        return F.softplus(d(fake) - d(real)).mean()

    def generator(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """-E log sigmoid(d(G(z)) - d(x))."""
        return F.softplus(d(real) - d(fake)).mean()
