"""Multilayer perceptron generator, for data of any shape.

Multilayer perceptron discriminator, for data of any shape.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn

import ganbench

from .normalization import Normalization, normalized


class MLPGenerator(nn.Module):
    """Multilayer perceptron with ReLU, for data of any shape; tanh where the data has a range."""

    def __init__(
        self,
        data: ganbench.DataSpec,
        *,
        latent_dim: int = 16,
        width: int = 128,
        depth: int = 2,
        normalization: Normalization = "none",
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.shape = data.shape
        layers: list[nn.Module] = []
        for fan_in, fan_out in itertools.pairwise([latent_dim] + [width] * depth):
            layers += [*normalized(nn.Linear(fan_in, fan_out), fan_out, normalization), nn.ReLU()]
        self.net = nn.Sequential(*layers, nn.Linear(width if depth else latent_dim, math.prod(data.shape)))
        self.value_range = data.value_range

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """(N, latent_dim) -> (N, *shape). Labels are not looked at."""
        x = self.net(z).unflatten(1, self.shape)
        if self.value_range is None:
            return x
        low, high = self.value_range
        return low + (high - low) * (torch.tanh(x) + 1) / 2


class MLPDiscriminator(nn.Module):
    """Multilayer perceptron with leaky ReLU, for data of any shape."""

    def __init__(
        self,
        data: ganbench.DataSpec,
        *,
        width: int = 128,
        depth: int = 2,
        normalization: Normalization = "none",
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        sizes = [math.prod(data.shape)] + [width] * depth
        for fan_in, fan_out in itertools.pairwise(sizes):
            layers += [*normalized(nn.Linear(fan_in, fan_out), fan_out, normalization), nn.LeakyReLU(0.2)]
        # The last layer is bounded too where the bound is the point, and free of batch statistics always.
        last = nn.Linear(sizes[-1], 1)
        self.net = nn.Sequential(*layers, *normalized(last, 1, "spectral" if normalization == "spectral" else "none"))

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """(N, *shape) -> logits (N,). Labels are not looked at."""
        return self.net(x.flatten(1)).squeeze(1)
