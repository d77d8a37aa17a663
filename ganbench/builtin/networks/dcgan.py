"""How a convolutional network climbs from a small map to an image by doubling.

Convolutional generator of the DCGAN family (Radford et al. 2016).

Convolutional discriminator of the DCGAN family (Radford et al. 2016).
"""

from __future__ import annotations

import torch
from torch import nn

import ganbench

from .normalization import Normalization, normalized


def doublings(data: ganbench.DataSpec) -> tuple[int, int] | None:
    """(base, k) with image side = base * 2**k and base 4 to 7; None where the data has no such side from 8 to 64."""
    if data.kind != "images" or len(data.shape) != 3:
        return None
    _, height, width = data.shape
    if height != width or not 8 <= height <= 64:
        return None
    base, k = height, 0
    while base > 7:
        if base % 2:
            return None
        base, k = base // 2, k + 1
    return base, k


def _skip(trial: ganbench.Trial) -> str | None:
    """Why a convolutional network cannot serve this trial."""
    if trial.data.kind != "images":
        return f"a convolutional network needs images, and {trial.dataset} is {trial.data.kind}"
    if doublings(trial.data) is None:
        return (
            f"a convolutional network needs square images with a side of 4 to 7 doubled up to 64, "
            f"and {trial.dataset} has the shape {trial.data.shape}"
        )
    return None


class ConvGenerator(nn.Module):
    """DCGAN generator for square images of 8 to 64 pixels, grey or colour."""

    skip = staticmethod(_skip)

    def __init__(
        self,
        data: ganbench.DataSpec,
        *,
        latent_dim: int = 64,
        width: int = 64,
        normalization: Normalization = "batch",
    ) -> None:
        super().__init__()
        side = doublings(data)
        if side is None:
            raise ValueError(f"no convolutional generator for samples of shape {data.shape}")
        base, k = side
        self.latent_dim = latent_dim
        self.value_range = data.value_range
        channels = width * 2 ** (k - 1)  # halved at each doubling of the side
        self.stem = nn.Sequential(
            nn.Linear(latent_dim, channels * base * base), nn.Unflatten(1, (channels, base, base))
        )
        layers: list[nn.Module] = [*_after_stem(channels, normalization), nn.ReLU()]
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


def _after_stem(channels: int, normalization: Normalization) -> list[nn.Module]:
    """The normalization of the stem, whose layer stands before the reshape."""
    if normalization == "spectral":
        return []
    return normalized(nn.Identity(), channels, normalization)[1:]


class ConvDiscriminator(nn.Module):
    """DCGAN discriminator for square images of 8 to 64 pixels, grey or colour."""

    skip = staticmethod(_skip)

    def __init__(self, data: ganbench.DataSpec, *, width: int = 64, normalization: Normalization = "none") -> None:
        super().__init__()
        side = doublings(data)
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
