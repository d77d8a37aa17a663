"""Wasserstein loss."""

from __future__ import annotations

import torch

import ganbench

from .midpoint import around_midpoint


class Wasserstein:
    """Difference of critic means (WGAN, Arjovsky et al. 2017); needs a penalty or clipping."""

    probabilities = staticmethod(around_midpoint)

    def discriminator(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """E d(G(z)) - E d(x)."""
        return d(fake).mean() - d(real).mean()

    def generator(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """-E d(G(z))."""
        return -d(fake).mean()
