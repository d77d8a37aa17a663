"""Multilayer perceptron generator, for data of any shape."""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn

import ganbench

from ..normalization import Normalization, normalized


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
