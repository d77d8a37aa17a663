"""Normalization as an option of every built-in network."""

from __future__ import annotations

from typing import Literal

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

Normalization = Literal["none", "batch", "layer", "spectral"]


def normalized(layer: nn.Module, features: int, normalization: Normalization) -> list[nn.Module]:
    """A linear or convolutional `layer` with `features` outputs, followed by or wrapped in its normalization.

    Spectral normalization follows Miyato et al. 2018, one power iteration a forward pass.
    """
    if normalization == "spectral":
        return [spectral_norm(layer)]
    if normalization == "batch":
        batch = nn.BatchNorm1d if isinstance(layer, nn.Linear) else nn.BatchNorm2d
        return [layer, batch(features)]
    if normalization == "layer":
        # One group over all channels is layer normalization for images.
        return [layer, nn.LayerNorm(features) if isinstance(layer, nn.Linear) else nn.GroupNorm(1, features)]
    return [layer]
