"""What PacGAN's networks share: their initial weights, and the scaling of a generator's output."""

from __future__ import annotations

import torch
from torch import nn


def initialize(network: nn.Module) -> None:
    """Draw weights from N(0, 0.02^2) and set biases to 0 (Radford et al. 2016); normalization layers keep torch's."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, std=0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def scale_to_range(x: torch.Tensor, value_range: tuple[float, float] | None) -> torch.Tensor:
    """Scale `x` to the range by tanh; return it as it is if there is no range."""
    if value_range is None:
        return x
    low, high = value_range
    return low + (high - low) * (torch.tanh(x) + 1) / 2
