"""Multilayer perceptron discriminator, for data of any shape."""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn

import ganbench

from ..normalization import Normalization, normalized


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
