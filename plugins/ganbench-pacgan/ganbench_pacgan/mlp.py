"""The generator of PacGAN's ring and grid."""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn

import ganbench

from .layers import initialize, scale_to_range


class PacGANGenerator(nn.Module):
    """PacGAN's generator for rings and grids: four layers of 400 with batch normalization, from two latents."""

    def __init__(self, data: ganbench.DataSpec, *, latent_dim: int = 2, width: int = 400, depth: int = 4) -> None:
        """Build the generator; raise ValueError if an option is below 1."""
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
        initialize(self)

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Map (N, latent_dim) to (N, *shape), through tanh if the data has a range; ignore labels."""
        return scale_to_range(self.net(z), self.value_range)
