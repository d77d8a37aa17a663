"""Regularizers of the discriminator: gradient penalties and weight clipping. E is the mean over a batch."""

from __future__ import annotations

import torch
from torch import nn

import ganbench


class R1(ganbench.Regularizer):
    """Squared gradient of D at real samples (Mescheder et al. 2018).

    Args:
        weight: Weight of the penalty.
        every: Apply it at each such update of D, times `every` (lazy regularization, Karras et al. 2020).
    """

    zero_for = "flat"  # the penalty is zero for a constant D

    def __init__(self, *, weight: float = 1.0, every: int = 1) -> None:
        if weight < 0 or every < 1:
            raise ValueError(f"weight = {weight} must not be negative, every = {every} at least 1")
        self.weight = weight
        self.every = every

    def penalty(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return weight / 2 * E |grad d(x)|^2."""
        return self.weight / 2 * _squared_gradient(d, real)


class R2(R1):
    """Squared gradient of D at generated samples (Mescheder et al. 2018); options as of `R1`."""

    def penalty(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return weight / 2 * E |grad d(G(z))|^2."""
        return self.weight / 2 * _squared_gradient(d, fake)


class GradientPenalty(ganbench.Regularizer):
    """Gradient norm of D pulled to 1 between real and generated samples (WGAN-GP, Gulrajani et al. 2017)."""

    zero_for = "unit-slope"  # the penalty is zero for a D whose gradient has norm 1

    def __init__(self, *, weight: float = 10.0) -> None:
        if weight < 0:
            raise ValueError(f"weight = {weight} must not be negative")
        self.weight = weight

    def penalty(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return weight * E (|grad d(x_between)| - 1)^2, each x_between at random on the line from real to generated."""
        share = torch.rand(len(real.x), *[1] * (real.x.dim() - 1), device=real.x.device)
        between = real.with_x(torch.lerp(real.x, fake.x.detach(), share))
        norm = ganbench.input_gradient(d, between).flatten(1).norm(dim=1)
        return self.weight * (norm - 1).square().mean()


class Dragan(ganbench.Regularizer):
    """Gradient norm of D pulled to 1 around real samples (DRAGAN, Kodali et al. 2017).

    Args:
        weight: Weight of the penalty.
        spread: Largest noise on a real sample, in standard deviations of the batch.
    """

    zero_for = "unit-slope"  # the penalty is zero for a D whose gradient has norm 1

    def __init__(self, *, weight: float = 10.0, spread: float = 0.5) -> None:
        if weight < 0 or spread < 0:
            raise ValueError(f"weight = {weight} and spread = {spread} must not be negative")
        self.weight = weight
        self.spread = spread

    def penalty(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return weight * E (|grad d(x + noise)| - 1)^2, with uniform noise."""
        noise = self.spread * real.x.std() * torch.rand_like(real.x)
        norm = ganbench.input_gradient(d, real.with_x(real.x + noise)).flatten(1).norm(dim=1)
        return self.weight * (norm - 1).square().mean()


class WeightClipping(ganbench.Regularizer):
    """Weights of D clipped to [-bound, bound] after each of its updates (WGAN, Arjovsky et al. 2017).

    Args:
        bound: Largest absolute weight.
    """

    def __init__(self, *, bound: float = 0.01) -> None:
        if bound <= 0:
            raise ValueError(f"bound = {bound} must be positive")
        self.bound = bound

    @torch.no_grad()
    def after_step(self, module: nn.Module) -> None:
        """Clip every weight of `module` to [-bound, bound]."""
        for weight in module.parameters():
            weight.clamp_(-self.bound, self.bound)


def _squared_gradient(d: ganbench.DiscriminatorFn, batch: ganbench.Batch) -> torch.Tensor:
    """Return the mean over a batch of the squared norm of D's gradient with respect to a sample."""
    return ganbench.input_gradient(d, batch).flatten(1).square().sum(1).mean()
