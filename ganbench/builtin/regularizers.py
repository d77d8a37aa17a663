"""Regularizers of what D's logits and gradients are, of G's slope, and of weights. E is the mean over a batch.

Of a D with several heads each head's slope is penalized: of their mean it would leave free what cancels between them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

import ganbench


class R1(ganbench.Regularizer):
    """Squared gradient of D at real samples (Mescheder et al. 2018).

    Args:
        weight: Weight of the penalty.
        every: Apply it at each such update of D, times `every` (lazy regularization, Karras et al. 2020).
    """

    zero_for = "flat"  # the penalty is zero for a constant D
    per_head = True

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


class R1Approx(ganbench.Regularizer):
    """R1 from differences: how much D's logit changes when a real sample is moved by a little noise.

    From two runs of D, without differentiating a gradient, so that it works where that does not: compiled steps, fused
    attention (APT, Lin et al. 2025, https://arxiv.org/abs/2501.08316). For D that is smooth on the scale of `sigma`,
    E (d(x + sigma e) - d(x))^2 is sigma^2 E |grad d(x)|^2, with e standard normal. Programs divide by sigma^2 or do not,
    and their weights differ by that factor.

    Args:
        weight: Weight of the penalty.
        every: Apply it at each such update of D, times `every`.
        sigma: Standard deviation of the noise, in units of the data.
        convention: Whether the squared change is divided by sigma^2, `"gradient"`, so that `weight` means what it means
            for `r1`; or not, `"difference"`, as in APT, whose weight is half of this one.
    """

    zero_for = "flat"  # the penalty is zero for a constant D
    per_head = True

    def __init__(
        self,
        *,
        weight: float = 1.0,
        every: int = 1,
        sigma: float = 0.01,
        convention: Literal["gradient", "difference"] = "gradient",
    ) -> None:
        if weight < 0 or every < 1 or sigma <= 0:
            raise ValueError(
                f"weight = {weight} must not be negative, every = {every} at least 1, sigma = {sigma} positive"
            )
        self.weight = weight
        self.every = every
        self.sigma = sigma
        self._unit = sigma if convention == "gradient" else 1.0

    def penalty(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return weight / 2 * E (d(x + sigma e) - d(x))^2, divided by sigma^2 unless `convention` is "difference"."""
        return self._squared_change(d, real)

    def _squared_change(self, d: ganbench.DiscriminatorFn, batch: ganbench.Batch) -> torch.Tensor:
        moved = batch.with_x(batch.x.detach() + self.sigma * torch.randn_like(batch.x))
        change = (logit_per_sample(d(moved)) - logit_per_sample(d(batch))) / self._unit
        return self.weight / 2 * change.square().sum() / len(batch)  # a pack has one logit, and the gradients of all


class R2Approx(R1Approx):
    """R2 from differences: how much D's logit changes when a generated sample is moved; options as of `R1Approx`."""

    def penalty(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return weight / 2 * E (d(G(z) + sigma e) - d(G(z)))^2, divided by sigma^2 or not as for `R1Approx`."""
        return self._squared_change(d, fake)


class GradientPenalty(ganbench.Regularizer):
    """Gradient norm of D pulled to 1 between real and generated samples (WGAN-GP, Gulrajani et al. 2017)."""

    zero_for = "unit-slope"  # the penalty is zero for a D whose gradient has norm 1
    per_head = True

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
    per_head = True

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


class LeCam(ganbench.Regularizer):
    """Logits kept from running away from those of the other side, for training on little data.

    LeCam regularization (Tseng et al. 2021, https://arxiv.org/abs/2104.03310) in the form of the authors' program, which
    penalizes only logits beyond the running mean of the other side's. The means are part of a checkpoint.

    Args:
        weight: Weight of the penalty.
        decay: Decay of the running means of D's logits, one for real and one for generated samples.
        start: Updates of D before the penalty is applied; the means follow the last batch until then.
    """

    zero_for = "flat"  # the penalty is zero for a constant D
    per_head = True

    def __init__(self, *, weight: float = 0.3, decay: float = 0.99, start: int = 0) -> None:
        if weight < 0 or not 0 <= decay < 1 or start < 0:
            raise ValueError(
                f"weight = {weight} and start = {start} must not be negative, decay = {decay} at least 0 and below 1"
            )
        self.weight = weight
        self.decay = decay
        self.start = start
        self.means: dict[str, torch.Tensor] = {}  # of real and of generated logits, by D's head
        self.updates: dict[str, int] = {}

    def penalty(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return weight * (E max(0, d(x) - mean of d(G(z)))^2 + E max(0, mean of d(x) - d(G(z)))^2)."""
        head = str(d.head)
        at_real, at_fake = d(real), d(fake)
        now = torch.stack([at_real.mean(), at_fake.mean()]).detach()
        done = self.updates.get(head, 0)
        decay = self.decay if done > self.start else 0.0
        means = torch.lerp(now, self.means.get(head, now), decay)
        self.means[head], self.updates[head] = means, done + 1
        beyond = F.relu(at_real - means[1]).square().mean() + F.relu(means[0] - at_fake).square().mean()
        return self.weight * beyond if done >= self.start else torch.zeros_like(beyond)


class PathLength(ganbench.Regularizer):
    """Steps of one size in G's noise made steps of one size in its samples (StyleGAN2, Karras et al. 2020).

    https://arxiv.org/abs/1912.04958. The length is of J^T y, with J the Jacobian of G and y random directions among
    samples; its running mean is the target, and part of a checkpoint. J is taken with respect to the noise z: in StyleGAN2
    it is with respect to the latents w that a mapping network makes of z, which is the same for a G without one.

    Args:
        weight: Weight of the penalty.
        every: Apply it at each such update of G, times `every`.
        decay: Decay of the running mean of the length.
    """

    player = "generator"

    def __init__(self, *, weight: float = 2.0, every: int = 4, decay: float = 0.99) -> None:
        if weight < 0 or every < 1 or not 0 <= decay < 1:
            raise ValueError(
                f"weight = {weight} must not be negative, every = {every} at least 1, decay = {decay} at least 0 and below 1"
            )
        self.weight = weight
        self.every = every
        self.decay = decay
        self.mean: torch.Tensor | None = None

    def penalty(  # type: ignore[override]
        self,
        d: ganbench.DiscriminatorFn,
        real: ganbench.Batch,
        fake: ganbench.Batch,
        *,
        generate: Callable[[torch.Tensor, ganbench.Batch], ganbench.Batch],
    ) -> torch.Tensor:
        """Return weight * E (|J^T y| - running mean of |J^T y|)^2."""
        z = noise_of(fake, "path-length").detach().requires_grad_()
        x = generate(z, fake).x
        directions = torch.randn_like(x) / math.sqrt(x[0, 0].numel())  # the length does not depend on how many pixels
        (slope,) = torch.autograd.grad((x * directions).sum(), z, create_graph=True)
        length = (slope.flatten(1).square().sum(1) + 1e-12).sqrt()  # a slope of zero has a gradient, too
        before = torch.zeros_like(length[0]) if self.mean is None else self.mean
        mean = torch.lerp(length.mean(), before, self.decay).detach()
        if self.mean is None:
            self.mean = mean.clone()
        else:
            self.mean.copy_(mean)  # in place, so that a captured step finds it where it was
        return self.weight * (length - mean).square().mean()


class Orthogonal(ganbench.Regularizer):
    """Weights of a layer's outputs kept at right angles, of any length (BigGAN, Brock et al. 2019).

    https://arxiv.org/abs/1809.11096. Of linear and convolutional layers; the weights themselves where they are
    normalized.

    Args:
        weight: Weight of the penalty.
        player: Whose weights; BigGAN's are G's, so that its noise can be truncated.
    """

    def __init__(self, *, weight: float = 1e-4, player: Literal["generator", "discriminator"] = "generator") -> None:
        if weight < 0:
            raise ValueError(f"weight = {weight} must not be negative")
        self.weight = weight
        self.player = player

    def penalty(  # type: ignore[override]
        self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch, *, module: nn.Module
    ) -> torch.Tensor:
        """Return weight * sum over layers of |W W^T without its diagonal|^2, a row of W for each output."""
        total = torch.zeros((), device=real.x.device)
        for layer in module.modules():
            if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd):
                for weight in (weight for weight in layer.parameters() if weight.ndim >= 2):
                    rows = weight.transpose(0, 1) if getattr(layer, "transposed", False) else weight
                    products = rows.flatten(1) @ rows.flatten(1).T
                    total = total + (products - products.diag().diag()).square().sum()
        return self.weight * total


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


def logit_per_sample(logits: torch.Tensor) -> torch.Tensor:
    """Return one logit a sample, (N,): the mean of a map (N, ...)."""
    return logits if logits.ndim == 1 else logits.flatten(1).mean(1)


def noise_of(fake: ganbench.Batch, name: str) -> torch.Tensor:
    """Return the noise that samples were generated from. Raise ValueError, for the regularizer `name`, without any."""
    if fake.z is None or not fake.z[0].numel():
        raise ValueError(f"the regularizer {name!r} needs a generator with noise, and this one has none; leave it out")
    return fake.z
