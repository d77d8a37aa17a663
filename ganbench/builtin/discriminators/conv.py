"""Convolutional discriminator of the DCGAN family (Radford et al. 2016)."""

from __future__ import annotations

import torch
from torch import nn

import ganbench

from .. import pyramid
from ..normalization import Normalization, normalized


class ConvDiscriminator(nn.Module):
    """DCGAN discriminator for square images of 8 to 64 pixels, grey or colour."""

    skip = staticmethod(pyramid.skip)

    def __init__(self, data: ganbench.DataSpec, *, width: int = 64, normalization: Normalization = "none") -> None:
        super().__init__()
        side = pyramid.doublings(data)
        if side is None:
            raise ValueError(f"no convolutional discriminator for samples of shape {data.shape}")
        base, k = side
        whole: Normalization = (
            "spectral" if normalization == "spectral" else "none"
        )  # first and last layer: never batch statistics
        channels = width // 2
        layers: list[nn.Module] = [
            *normalized(nn.Conv2d(data.shape[0], channels, 3, padding=1), channels, whole),
            nn.LeakyReLU(0.2),
        ]
        for _ in range(k):
            down = nn.Conv2d(channels, channels * 2, 4, stride=2, padding=1)
            layers += [*normalized(down, channels * 2, normalization), nn.LeakyReLU(0.2)]
            channels *= 2
        last = normalized(nn.Linear(channels * base * base, 1), 1, whole)
        self.net = nn.Sequential(*layers, nn.Flatten(), *last)

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """(N, channels, side, side) -> logits (N,). Labels are not looked at."""
        return self.net(x).squeeze(1)
