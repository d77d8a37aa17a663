"""The discriminator of PacGAN's ring and grid."""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn

import ganbench

from .layers import initialize


class Maxout(nn.Module):
    """The maximum of several linear maps, unit by unit (Goodfellow et al. 2013, https://arxiv.org/abs/1302.4389)."""

    def __init__(self, fan_in: int, fan_out: int, pieces: int) -> None:
        super().__init__()
        self.linear = nn.Linear(fan_in, fan_out * pieces)
        self.pieces = pieces

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (N, fan_in) to (N, fan_out); piece k of unit i is output k * fan_out + i of `linear`."""
        return self.linear(x).unflatten(1, (self.pieces, -1)).amax(1)


class MaxoutDiscriminator(nn.Module):
    """PacGAN's discriminator for rings and grids: three maxout layers of 200 units with five pieces each."""

    def __init__(self, data: ganbench.DataSpec, *, width: int = 200, depth: int = 3, pieces: int = 5) -> None:
        """Build the discriminator; raise ValueError if an option is below 1."""
        super().__init__()
        if min(width, depth, pieces) < 1:
            raise ValueError(f"width = {width}, depth = {depth} and pieces = {pieces} must be at least 1")
        sizes = [math.prod(data.shape)] + [width] * depth
        layers = [Maxout(fan_in, fan_out, pieces) for fan_in, fan_out in itertools.pairwise(sizes)]
        self.net = nn.Sequential(nn.Flatten(), *layers, nn.Linear(width, 1))
        initialize(self)

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Map (N, *shape) to logits (N,); ignore labels."""
        return self.net(x).squeeze(1)
