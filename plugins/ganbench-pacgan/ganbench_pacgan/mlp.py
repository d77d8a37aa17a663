"""The generator of PacGAN's ring and grid."""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn

import ganbench

from .value_range import squashed
from .weights import start_small


class PacGANGenerator(nn.Module):
    """PacGAN's generator for rings and grids: four layers of 400 with batch normalization, from two latents."""

    def __init__(self, data: ganbench.DataSpec, *, latent_dim: int = 2, width: int = 400, depth: int = 4) -> None:
        """Raises ValueError where a size is below 1."""
        super().__init__()
        if min(latent_dim, width, depth) < 1:
            raise ValueError(f"latent_dim = {latent_dim}, width = {width} and depth = {depth} must be at least 1")
        self.latent_dim = latent_dim
        self.value_range = data.value_range
        layers: list[nn.Module] = []
        for fan_in, fan_out in itertools.pairwise([latent_dim] + [width] * depth):
            # No bias: the normalization after it has one.
            layers += [nn.Linear(fan_in, fan_out, bias=False), nn.BatchNorm1d(fan_out), nn.ReLU()]
        last = nn.Linear(width, math.prod(data.shape))
        self.net = nn.Sequential(*layers, last, nn.Unflatten(1, data.shape))
        start_small(self)

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """(N, latent_dim) -> (N, *shape), through tanh where the data has a range. Labels are not looked at."""
        return squashed(self.net(z), self.value_range)
