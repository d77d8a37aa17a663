"""Non-saturating loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F

import ganbench


class NonSaturating:
    """The original GAN's loss for D, and -log D(G(z)) for G, which does not saturate (Goodfellow et al. 2014)."""

    def discriminator(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """-E log D(x) - E log(1 - D(G(z)))."""
        return F.softplus(-d(real)).mean() + F.softplus(d(fake)).mean()

    def generator(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """-E log D(G(z))."""
        return F.softplus(-d(fake)).mean()
