"""Hinge loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F

import ganbench


class Hinge:
    """Hinge loss (Lim and Ye 2017; Miyato et al. 2018)."""

    def discriminator(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """E max(0, 1 - d(x)) + E max(0, 1 + d(G(z)))."""
        return F.relu(1 - d(real)).mean() + F.relu(1 + d(fake)).mean()

    def generator(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """-E d(G(z))."""
        return -d(fake).mean()
