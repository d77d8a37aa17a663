"""Data sets, losses and networks that the failure zoo never saw: what its diagnoses are tried on in elsewhere.toml.

It lies beside the suite, so `ganbench run --suite examples/elsewhere/elsewhere.toml` finds it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ganbench

SLOPE = 0.2  # of leaky rectifiers


@ganbench.hookimpl
def ganbench_datasets() -> Iterator[ganbench.Component]:
    yield ganbench.Component("spiral", Spiral)
    yield ganbench.Component("polytope", Polytope)
    yield ganbench.Component("shapes", Shapes)


@ganbench.hookimpl
def ganbench_losses() -> Iterator[ganbench.Component]:
    yield ganbench.Component("average-hinge", AverageHinge)
    yield ganbench.Component("pearson", Pearson)
    yield ganbench.Component("kullback-leibler", KullbackLeibler)


@ganbench.hookimpl
def ganbench_generators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("residual", ResidualGenerator)
    yield ganbench.Component("of-a-class", OfAClass)


@ganbench.hookimpl
def ganbench_discriminators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("residual", ResidualDiscriminator)
    yield ganbench.Component("projection", Projection)


class _Gaussians:
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
    """Twelve Gaussians on two turns of a spiral, the outer ones further apart; in tens, not in ones."""

    def __init__(self) -> None:
        turn = torch.linspace(1, 3, 12).sqrt() * 2 * math.pi
        super().__init__(8 * turn[:, None] / math.pi * torch.stack([turn.cos(), turn.sin()], dim=1) / 2, 0.6)


class Polytope(_Gaussians):
    """Twelve Gaussians in six dimensions, at plus and minus each axis."""

    def __init__(self) -> None:
        super().__init__(torch.cat([torch.eye(6), -torch.eye(6)]) * 2, 0.15)


class Shapes:
    """Eight shapes, grey, 16x16, labelled, each anywhere within two pixels of the middle and of a size of its own.

    Three numbers make an image of a class, so that two thousand real ones show what is one and what is not.
    """

    spec = ganbench.DataSpec("images", (1, 16, 16), value_range=(-1.0, 1.0), classes=8)

    def training(self) -> ganbench.Batch:
        """(20000, 1, 16, 16) and labels."""
        return self._draw(20_000, 1)

    def held_out(self) -> ganbench.Batch:
        """(4000, 1, 16, 16) and labels."""
        return self._draw(4000, 2)

    @staticmethod
    def _draw(n: int, seed: int) -> ganbench.Batch:
        stream = torch.Generator().manual_seed(seed)
        labels = torch.randint(8, (n,), generator=stream)
        place, size = 4 * torch.rand(n, 2, 1, 1, generator=stream) - 2, 4 + torch.rand(n, 1, 1, generator=stream)
        pixel = torch.arange(16) - 7.5
        x, y = (pixel[None, None, :] - place[:, 0]) / size, (pixel[None, :, None] - place[:, 1]) / size
        outside = torch.stack([shape(x, y) for shape in _SHAPES])[labels, torch.arange(n)]
        return ganbench.Batch(torch.tanh(-3 * outside * size).unsqueeze(1), labels)


def _bar(x: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(x.abs() - 1, y.abs() - 0.3)


def _cross(x: Tensor, y: Tensor) -> Tensor:
    return torch.minimum(_bar(x, y), _bar(y, x))


# How far outside of a shape of size 1 a point is; negative inside.
_SHAPES: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (
    lambda x, y: x.hypot(y) - 1,
    lambda x, y: (x.hypot(y) - 0.8).abs() - 0.25,
    lambda x, y: torch.maximum(x.abs(), y.abs()) - 0.85,
    lambda x, y: x.abs() + y.abs() - 1.1,
    _bar,
    lambda x, y: _bar(y, x),
    _cross,
    lambda x, y: _cross((x + y) / 2**0.5, (x - y) / 2**0.5),
)


class AverageHinge:
    """Relativistic average hinge loss (Jolicoeur-Martineau 2019): each sample against the mean of the other kind."""

    def discriminator(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """(E max(0, 1 - r(x)) + E max(0, 1 + r(G(z)))) / 2, where r is relative to the other mean."""
        return self._of(d(real), d(fake))

    def generator(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """The same, the other way round."""
        return self._of(d(fake), d(real))

    @staticmethod
    def _of(higher: Tensor, lower: Tensor) -> Tensor:
        return (F.relu(1 - higher + lower.mean()).mean() + F.relu(1 + lower - higher.mean()).mean()) / 2


class Pearson:
    """Pearson's chi-squared divergence in its variational form (f-GAN, Nowozin et al. 2016)."""

    def discriminator(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """-E d(x) + E (d(G(z))^2 / 4 + d(G(z)))."""
        of_fake = d(fake)
        return (of_fake.square() / 4 + of_fake).mean() - d(real).mean()

    def generator(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """-E d(G(z))."""
        return -d(fake).mean()


class KullbackLeibler:
    """Kullback-Leibler divergence in its variational form (f-GAN, Nowozin et al. 2016)."""

    expected_failures = {"is-finite-at-extreme-logits": "its conjugate is exponential, which is what it is here for"}

    def discriminator(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """-E d(x) + E exp(d(G(z)) - 1)."""
        return (d(fake) - 1).exp().mean() - d(real).mean()

    def generator(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """-E d(G(z))."""
        return -d(fake).mean()


class _Layers(nn.Module):
    """x + two layers of x, normalized over all features of a sample."""

    def __init__(self, width: int, layer: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        self.net = nn.Sequential(
            *(nn.GroupNorm(1, width), nn.SiLU(), layer(width, width)),
            *(nn.GroupNorm(1, width), nn.SiLU(), layer(width, width)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, ...) -> the same shape."""
        out: Tensor = x + self.net(x)
        return out


def _conv(fan_in: int, fan_out: int) -> nn.Module:
    return nn.Conv2d(fan_in, fan_out, 3, padding=1)


class ResidualGenerator(nn.Module):
    """Residual blocks: linear ones for points, upsampled convolutions for images whose side is 4 times a power of 2."""

    def __init__(self, data: ganbench.DataSpec, *, latent_dim: int = 32, width: int = 48) -> None:
        super().__init__()
        self.latent_dim, self.value_range = latent_dim, data.value_range
        if data.kind == "images":
            doublings = round(math.log2(data.shape[1] / 4))
            stem = [nn.Linear(latent_dim, width * 16), nn.Unflatten(1, (width, 4, 4))]
            blocks = [part for _ in range(doublings) for part in (nn.Upsample(scale_factor=2), _Layers(width, _conv))]
            self.net = nn.Sequential(*stem, *blocks, _conv(width, data.shape[0]))
        else:
            blocks = [_Layers(2 * width, nn.Linear) for _ in range(2)]
            self.net = nn.Sequential(nn.Linear(latent_dim, 2 * width), *blocks, nn.Linear(2 * width, data.shape[0]))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, latent_dim) -> (N, *shape). Labels are not looked at."""
        x: Tensor = self.net(z)
        if self.value_range is None:
            return x
        low, high = self.value_range
        return low + (high - low) * torch.sigmoid(x)


class ResidualDiscriminator(nn.Module):
    """Residual blocks: linear ones for points, averaged convolutions for images."""

    def __init__(self, data: ganbench.DataSpec, *, width: int = 48) -> None:
        super().__init__()
        if data.kind == "images":
            doublings = round(math.log2(data.shape[1] / 4))
            blocks = [part for _ in range(doublings) for part in (_Layers(width, _conv), nn.AvgPool2d(2))]
            self.net = nn.Sequential(_conv(data.shape[0], width), *blocks, nn.Flatten(), nn.Linear(width * 16, 1))
        else:
            layers = [_Layers(2 * width, nn.Linear) for _ in range(2)]
            self.net = nn.Sequential(nn.Linear(data.shape[0], 2 * width), *layers, nn.SiLU(), nn.Linear(2 * width, 1))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, *shape) -> logits (N,). Labels are not looked at."""
        logits: Tensor = self.net(x)
        return logits.squeeze(1)


class _OfClasses(nn.Module):
    """What only labelled data can be given to."""

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Why the data will not do."""
        return None if trial.data.classes else f"{trial.dataset} has no classes"


Generator = Annotated[Callable[..., Any], ganbench.Part("generator")]
Discriminator = Annotated[Callable[..., Any], ganbench.Part("discriminator")]


class OfAClass(_OfClasses):
    """A generator whose latents are moved to a place of their own for each class."""

    def __init__(self, data: ganbench.DataSpec, *, inner: Generator = "residual") -> None:  # type: ignore[assignment]
        super().__init__()
        self.network = inner(data)
        self.latent_dim = self.network.latent_dim
        self.places = nn.Embedding(data.classes, self.latent_dim)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, latent_dim), (N,) -> (N, *shape)."""
        x: Tensor = self.network(z + self.places(labels))
        return x


class Projection(_OfClasses):
    """A discriminator that knows the class: features projected on its vector (Miyato and Koyama 2018)."""

    def __init__(self, data: ganbench.DataSpec, *, inner: Discriminator = "residual", width: int = 64) -> None:  # type: ignore[assignment]
        super().__init__()
        self.network = inner(data)
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(data.shape), width), nn.LeakyReLU(SLOPE))
        self.classes = nn.Embedding(data.classes, width)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, *shape), (N,) -> logits (N,)."""
        logits: Tensor = self.network(x) + (self.features(x) * self.classes(labels)).sum(dim=1) / 8
        return logits
