"""WGAN's weight clipping."""

from __future__ import annotations

import torch
from torch import nn


class WeightClipping:
    """Weights of D clipped to a box after each of its steps (WGAN, Arjovsky et al. 2017)."""

    def __init__(self, *, bound: float = 0.01) -> None:
        if bound <= 0:
            raise ValueError(f"bound = {bound} must be positive")
        self.bound = bound

    @torch.no_grad()
    def after_step(self, module: nn.Module) -> None:
        """Clip every weight of `module` to [-bound, bound]."""
        for weight in module.parameters():
            weight.clamp_(-self.bound, self.bound)
