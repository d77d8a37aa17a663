"""What every built-in network shares: normalization as an option, and outputs in the range of the data."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from .spectral import spectral_norm

Normalization = Literal["none", "batch", "layer", "spectral"]


def normalize(layer: nn.Module, features: int, normalization: Normalization) -> list[nn.Module]:
    """Return a layer followed by, or wrapped in, its normalization.

    Spectral normalization follows Miyato et al. (2018), with one power iteration a forward pass.

    Args:
        layer: A linear or convolutional layer.
        features: Its outputs or output channels.
        normalization: The kind of normalization; `"layer"` of images is over all channels and pixels.
    """
    if normalization == "spectral":
        return [spectral_norm(layer)]
    if normalization == "batch":
        batch_norm = nn.BatchNorm1d if isinstance(layer, nn.Linear) else nn.BatchNorm2d
        return [layer, batch_norm(features)]
    if normalization == "layer":
        # For images, group normalization with one group.
        return [layer, nn.LayerNorm(features) if isinstance(layer, nn.Linear) else nn.GroupNorm(1, features)]
    return [layer]


def without_batch_statistics(normalization: Normalization) -> Normalization:
    """Return the normalization of a discriminator's first or last layer: spectral or none."""
    return "spectral" if normalization == "spectral" else "none"


def to_range(x: torch.Tensor, value_range: tuple[float, float] | None) -> torch.Tensor:
    """Return `x` squashed by tanh into the data's range, or as it is if the data has none."""
    if value_range is None:
        return x
    low, high = value_range
    return low + (high - low) * (torch.tanh(x) + 1) / 2


def linear_to_range(x: torch.Tensor, value_range: tuple[float, float] | None, clip: bool) -> torch.Tensor:
    """Return `x` with [-1, 1] mapped to the data's range, and clipped to it if `clip`; as it is if the data has none."""
    if value_range is None:
        return x
    low, high = value_range
    x = low + (high - low) * (x + 1) / 2
    return x.clamp(low, high) if clip else x


def from_range(x: torch.Tensor, value_range: tuple[float, float] | None) -> torch.Tensor:
    """Return `x` with the data's range mapped to [-1, 1], or as it is if the data has none."""
    if value_range is None:
        return x
    low, high = value_range
    return (x - low) * (2 / (high - low)) - 1
