"""WGAN-GP's gradient penalty."""

from __future__ import annotations

import torch

import ganbench


class GradientPenalty:
    """Gradient norm of D drawn to 1 between real and generated samples (WGAN-GP, Gulrajani et al. 2017)."""

    zero_for = "unit-slope"  # where the gradient of D has norm 1

    def __init__(self, *, weight: float = 10.0) -> None:
        if weight < 0:
            raise ValueError(f"weight = {weight} must not be negative")
        self.weight = weight

    def penalty(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """weight * E (|grad d(x between)| - 1)^2."""
        share = torch.rand(len(real.x), *[1] * (real.x.dim() - 1), device=real.x.device)
        between = ganbench.Batch(torch.lerp(real.x, fake.x.detach(), share), real.labels)
        norm = ganbench.input_gradient(d, between).flatten(1).norm(dim=1)
        return self.weight * (norm - 1).square().mean()
