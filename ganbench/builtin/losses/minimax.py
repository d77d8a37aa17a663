"""Minimax loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F

import ganbench


class Minimax:
    """The original GAN's value V(D, G), which D raises and G lowers (Goodfellow et al. 2014); saturates."""

    def discriminator(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """-V(D, G) = -E log D(x) - E log(1 - D(G(z)))."""
        return F.softplus(-d(real)).mean() + F.softplus(d(fake)).mean()

    def generator(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """E log(1 - D(G(z))), flat where D is sure."""
        return -F.softplus(d(fake)).mean()
