"""A third-party plugin without base classes: a generator, a loss and a data set in one module."""

import math

import torch
import torch.nn.functional as F
from torch import nn

import ganbench


class Sine(nn.Module):
    """Points from a network of sines (SIREN's activation, Sitzmann et al. 2020)."""

    def __init__(self, data: ganbench.DataSpec, *, latent_dim: int = 4, width: int = 32) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.first, self.last = nn.Linear(latent_dim, width), nn.Linear(width, math.prod(data.shape))
        self.shape = data.shape

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        return None if trial.data.kind == "points" else f"it makes points, not {trial.data.kind}"

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return self.last(torch.sin(self.first(z))).view(-1, *self.shape)


class Exponential:
    """The exponential loss of boosting, kept linear beyond a bound."""

    def __init__(self, *, bound: float = 3.0) -> None:
        self.bound = bound

    def _cost(self, margin: torch.Tensor) -> torch.Tensor:
        cost = torch.exp(-margin.clamp(-self.bound, self.bound))
        return (cost + math.exp(self.bound) * F.relu(-margin - self.bound)).mean()

    def discriminator(self, d, real, fake):
        return self._cost(d(real)) + self._cost(-d(fake))

    def generator(self, d, real, fake):
        return self._cost(d(fake))


class Moons:
    """Two interleaved half circles."""

    spec = ganbench.DataSpec("points", (2,))

    def __init__(self, *, noise: float = 0.05) -> None:
        self.noise = noise

    def training(self) -> ganbench.Batch:
        return self._draw(4000, 1)

    def held_out(self) -> ganbench.Batch:
        return self._draw(1000, 2)

    def _draw(self, n: int, seed: int) -> ganbench.Batch:
        stream = torch.Generator().manual_seed(seed)
        angle = math.pi * torch.rand(n, generator=stream)
        lower = torch.randint(2, (n,), generator=stream)
        sign = 1.0 - 2.0 * lower
        points = torch.stack([angle.cos() * sign + lower, angle.sin() * sign + 0.5 * lower], dim=1)
        return ganbench.Batch(points + self.noise * torch.randn(n, 2, generator=stream))


@ganbench.hookimpl
def ganbench_generators():
    yield ganbench.Component("sine", Sine)


@ganbench.hookimpl
def ganbench_losses():
    yield ganbench.Component("exponential", Exponential)


@ganbench.hookimpl
def ganbench_datasets():
    yield ganbench.Component("moons", Moons)
