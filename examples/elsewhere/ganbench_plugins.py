"""Data sets, losses and networks that are not in the failure zoo: elsewhere.toml tests its diagnoses on them.

`ganbench run --suite examples/elsewhere/elsewhere.toml` loads it, since it is beside the suite.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ganbench


@ganbench.hookimpl
def ganbench_datasets() -> Iterator[ganbench.Component]:
    yield ganbench.Component("spiral", Spiral)
    yield ganbench.Component("polytope", Polytope)


@ganbench.hookimpl
def ganbench_losses() -> Iterator[ganbench.Component]:
    yield ganbench.Component("average-hinge", AverageHinge)
    yield ganbench.Component("pearson", Pearson)
    yield ganbench.Component("kullback-leibler", KullbackLeibler)


@ganbench.hookimpl
def ganbench_generators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("residual", ResidualGenerator)


@ganbench.hookimpl
def ganbench_discriminators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("residual", ResidualDiscriminator)


class _Gaussians(ganbench.Dataset):
    """Equally likely isotropic Gaussians around exactly known centres."""

    def __init__(self, centres: Tensor, sigma: float) -> None:
        self.modes = ganbench.Modes(centres, sigma)
        self.spec = ganbench.DataSpec("points", tuple(centres.shape[1:]), modes=len(centres))

    def training(self) -> ganbench.Batch:
        """(50000, dimensions)."""
        return self._draw(50_000, 1)

    def held_out(self) -> ganbench.Batch:
        """(10000, dimensions)."""
        return self._draw(10_000, 2)

    def _draw(self, n: int, seed: int) -> ganbench.Batch:
        stream = torch.Generator().manual_seed(seed)
        centres = self.modes.centres[torch.randint(len(self.modes.centres), (n,), generator=stream)]
        return ganbench.Batch(centres + self.modes.sigma * torch.randn(centres.shape, generator=stream))


class Spiral(_Gaussians):
    """Twelve Gaussians on two turns of a spiral, the outer ones further apart; coordinates are in tens."""

    def __init__(self) -> None:
        turn = torch.linspace(1, 3, 12).sqrt() * 2 * math.pi
        super().__init__(8 * turn[:, None] / math.pi * torch.stack([turn.cos(), turn.sin()], dim=1) / 2, 0.6)


class Polytope(_Gaussians):
    """Twelve Gaussians in six dimensions, at plus and minus each axis."""

    def __init__(self) -> None:
        super().__init__(torch.cat([torch.eye(6), -torch.eye(6)]) * 2, 0.15)


class AverageHinge(ganbench.Loss):
    """Relativistic average hinge loss (Jolicoeur-Martineau 2019): each sample against the mean of the other kind."""

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """(E max(0, 1 - r(x)) + E max(0, 1 + r(G(z)))) / 2, where r is relative to the other mean."""
        return self._hinge(d(real), d(fake))

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """The same with real and generated samples swapped."""
        return self._hinge(d(fake), d(real))

    @staticmethod
    def _hinge(higher: Tensor, lower: Tensor) -> Tensor:
        return (F.relu(1 - higher + lower.mean()).mean() + F.relu(1 + lower - higher.mean()).mean()) / 2


class Pearson(ganbench.Loss):
    """Pearson's chi-squared divergence in its variational form (f-GAN, Nowozin et al. 2016)."""

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """-E d(x) + E (d(G(z))^2 / 4 + d(G(z)))."""
        of_fake = d(fake)
        return (of_fake.square() / 4 + of_fake).mean() - d(real).mean()

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """-E d(G(z))."""
        return -d(fake).mean()


class KullbackLeibler(ganbench.Loss):
    """Kullback-Leibler divergence in its variational form (f-GAN, Nowozin et al. 2016)."""

    expected_failures = {"is-finite-at-extreme-logits": "its conjugate is exponential, which is the point of it"}

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """-E d(x) + E exp(d(G(z)) - 1)."""
        return (d(fake) - 1).exp().mean() - d(real).mean()

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """-E d(G(z))."""
        return -d(fake).mean()


def _skip_unless_points(trial: ganbench.Trial) -> str | None:
    return None if trial.data.kind == "points" else f"it takes points, not {trial.data.kind}"


class _Residual(nn.Module):
    """x + two layers of x, normalized over all features of a sample."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            *(nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, width)),
            *(nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, width)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, width) -> the same shape."""
        out: Tensor = x + self.net(x)
        return out


class ResidualGenerator(nn.Module):
    """Two residual blocks, for points."""

    skip = staticmethod(_skip_unless_points)

    def __init__(self, data: ganbench.DataSpec, *, latent_dim: int = 32, width: int = 96) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        blocks = [_Residual(width) for _ in range(2)]
        self.net = nn.Sequential(nn.Linear(latent_dim, width), *blocks, nn.Linear(width, data.shape[0]))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, latent_dim) -> (N, *shape). Labels are ignored."""
        x: Tensor = self.net(z)
        return x


class ResidualDiscriminator(nn.Module):
    """Two residual blocks, for points."""

    skip = staticmethod(_skip_unless_points)

    def __init__(self, data: ganbench.DataSpec, *, width: int = 96) -> None:
        super().__init__()
        blocks = [_Residual(width) for _ in range(2)]
        self.net = nn.Sequential(nn.Linear(data.shape[0], width), *blocks, nn.SiLU(), nn.Linear(width, 1))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, *shape) -> logits (N,). Labels are ignored."""
        logits: Tensor = self.net(x)
        return logits.squeeze(1)
