"""Convolutional generator of the DCGAN family (Radford et al. 2016)."""

from __future__ import annotations

import torch
from torch import nn

import ganbench

from .. import pyramid
from ..normalization import Normalization, normalized


class ConvGenerator(nn.Module):
    """DCGAN generator for square images of 8 to 64 pixels, grey or colour."""

    skip = staticmethod(pyramid.skip)

    def __init__(
        self,
        data: ganbench.DataSpec,
        *,
        latent_dim: int = 64,
        width: int = 64,
        normalization: Normalization = "batch",
    ) -> None:
        super().__init__()
        side = pyramid.doublings(data)
        if side is None:
            raise ValueError(f"no convolutional generator for samples of shape {data.shape}")
        base, k = side
        self.latent_dim = latent_dim
        self.value_range = data.value_range
        channels = width * 2 ** (k - 1)  # halved at each doubling of the side
        self.stem = nn.Sequential(
            nn.Linear(latent_dim, channels * base * base), nn.Unflatten(1, (channels, base, base))
        )
        layers: list[nn.Module] = [*_after(channels, normalization), nn.ReLU()]
        for _ in range(k):
            up = nn.ConvTranspose2d(channels, channels // 2, 4, stride=2, padding=1)
            layers += [*normalized(up, channels // 2, normalization), nn.ReLU()]
            channels //= 2
        self.net = nn.Sequential(*layers, nn.Conv2d(channels, data.shape[0], 3, padding=1))

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """(N, latent_dim) -> (N, channels, side, side). Labels are not looked at."""
        x = self.net(self.stem(z))
        if self.value_range is None:
            return x
        low, high = self.value_range
        return low + (high - low) * (torch.tanh(x) + 1) / 2


def _after(channels: int, normalization: Normalization) -> list[nn.Module]:
    """The normalization of the stem, whose layer stands before the reshape."""
    if normalization == "spectral":
        return []
    return normalized(nn.Identity(), channels, normalization)[1:]
