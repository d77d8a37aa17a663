"""Multilayer perceptrons, for data of any shape."""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn

import ganbench

from .layers import Normalization, normalize, to_range, without_batch_statistics


class MLPGenerator(nn.Module):
    """Multilayer perceptron with ReLU, for data of any shape; its last activation is tanh if the data has a range.

    Args:
        data: What samples look like.
        latent_dim: Length of a noise vector.
        width: Units of a hidden layer.
        depth: Hidden layers.
        normalization: Of the hidden layers.
    """

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
            layers += [*normalize(nn.Linear(fan_in, fan_out), fan_out, normalization), nn.ReLU()]
        self.net = nn.Sequential(*layers, nn.Linear(width if depth else latent_dim, math.prod(data.shape)))
        self.value_range = data.value_range

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Map noise (N, latent_dim) to samples (N, *shape); labels are ignored."""
        return to_range(self.net(z).unflatten(1, self.shape), self.value_range)


class MLPDiscriminator(nn.Module):
    """Multilayer perceptron with leaky ReLU, for data of any shape.

    Args:
        data: What samples look like.
        width: Units of a hidden layer.
        depth: Hidden layers.
        normalization: Of the hidden layers; spectral normalization is of the last layer too.
    """

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
            layers += [*normalize(nn.Linear(fan_in, fan_out), fan_out, normalization), nn.LeakyReLU(0.2)]
        last = normalize(nn.Linear(sizes[-1], 1), 1, without_batch_statistics(normalization))
        self.net = nn.Sequential(*layers, *last)

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Map samples (N, *shape) to logits (N,); labels are ignored."""
        return self.net(x.flatten(1)).squeeze(1)
