"""The networks of PacGAN's stacked MNIST: DCGAN (Radford et al. 2016) with 5x5 kernels, for images of any size."""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn

import ganbench

from .layers import initialize, scale_to_range


def skip(trial: ganbench.Trial) -> str | None:
    """Return why a DCGAN cannot be built for the data of this trial, or None."""
    if trial.data.kind != "images":
        return f"DCGAN needs images, and {trial.dataset} is {trial.data.kind}"
    if min(trial.data.shape[1:]) < 3:
        return f"DCGAN needs images of at least 3x3 pixels, and {trial.dataset} has the shape {trial.data.shape}"
    return None


class DCGANGenerator(nn.Module):
    """PacGAN's generator for stacked MNIST: DCGAN from 100 uniform latents, for images of any size."""

    skip = staticmethod(skip)
    prior = "uniform"

    def __init__(self, data: ganbench.DataSpec, *, latent_dim: int = 100, width: int = 64, depth: int = 4) -> None:
        """Build the generator.

        Args:
            data: Images of at least 3x3 pixels.
            latent_dim: Length of a noise vector.
            width: Filters of the last hidden layer; each layer before has twice as many.
            depth: Doublings up to the image; fewer if it cannot be halved as often (28x28 is 2x2 after four).

        Raises:
            ValueError: For data of another kind, and for options below 1.
        """
        super().__init__()
        if min(latent_dim, width, depth) < 1:
            raise ValueError(f"latent_dim = {latent_dim}, width = {width} and depth = {depth} must be at least 1")
        sides = _sides(data, depth)[::-1]
        self.latent_dim = latent_dim
        self.value_range = data.value_range
        channels = [width * 2**i for i in reversed(range(len(sides) - 1))]
        smallest = (channels[0], *sides[0])
        layers = [
            nn.Linear(latent_dim, math.prod(smallest)),
            nn.Unflatten(1, smallest),
            nn.BatchNorm2d(channels[0]),
            nn.ReLU(),
        ]
        for (fan_in, fan_out), side, wanted in zip(itertools.pairwise(channels), sides, sides[1:], strict=False):
            layers += [_up(fan_in, fan_out, side, wanted), nn.BatchNorm2d(fan_out), nn.ReLU()]
        self.net = nn.Sequential(*layers, _up(width, data.shape[0], *sides[-2:]))
        initialize(self)

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Map (N, latent_dim) to (N, channels, height, width), through tanh if the data has a range; ignore labels."""
        return scale_to_range(self.net(z), self.value_range)


class DCGANDiscriminator(nn.Module):
    """PacGAN's discriminator for stacked MNIST: DCGAN with batch normalization, for images of any size."""

    skip = staticmethod(skip)

    def __init__(self, data: ganbench.DataSpec, *, width: int = 64, depth: int = 4) -> None:
        """Build the discriminator.

        Args:
            data: Images of at least 3x3 pixels.
            width: Filters of the first layer; each layer after it has twice as many.
            depth: Halvings of the image; fewer if it is too small (28x28 is 2x2 after four).

        Raises:
            ValueError: For data of another kind, and for options below 1.
        """
        super().__init__()
        if min(width, depth) < 1:
            raise ValueError(f"width = {width} and depth = {depth} must be at least 1")
        *larger, smallest = _sides(data, depth)
        channels = [width * 2**i for i in range(len(larger))]
        layers: list[nn.Module] = [_down(data.shape[0], width), nn.LeakyReLU(0.2)]
        for fan_in, fan_out in itertools.pairwise(channels):
            layers += [_down(fan_in, fan_out), nn.BatchNorm2d(fan_out), nn.LeakyReLU(0.2)]
        self.net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels[-1] * math.prod(smallest), 1))
        initialize(self)

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Map (N, channels, height, width) to logits (N,); ignore labels."""
        return self.net(x).squeeze(1)


def _sides(data: ganbench.DataSpec, depth: int) -> list[tuple[int, int]]:
    """Return height and width of the image and of each smaller map, halved and rounded up: 28, 14, 7, 4, 2."""
    if data.kind != "images" or len(data.shape) != 3 or min(data.shape[1:]) < 3:
        raise ValueError(f"DCGAN needs images of at least 3x3 pixels, not {data.kind} of shape {data.shape}")
    _, height, width = data.shape
    possible = (min(height, width) - 1).bit_length() - 1  # until the shorter side has two pixels
    return [(-(-height // 2**i), -(-width // 2**i)) for i in range(min(depth, possible) + 1)]


def _down(fan_in: int, fan_out: int) -> nn.Conv2d:
    return nn.Conv2d(fan_in, fan_out, 5, stride=2, padding=2)


def _up(fan_in: int, fan_out: int, side: tuple[int, int], wanted: tuple[int, int]) -> nn.ConvTranspose2d:
    """Double a map of `side` pixels to `wanted` pixels; what that has beyond 2 * side - 1 is padded."""
    more = tuple(w - (2 * s - 1) for s, w in zip(side, wanted, strict=True))
    return nn.ConvTranspose2d(fan_in, fan_out, 5, stride=2, padding=2, output_padding=more)
