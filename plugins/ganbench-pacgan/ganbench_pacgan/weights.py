"""How PacGAN's networks, and DCGAN's, start."""

from __future__ import annotations

from torch import nn


def start_small(network: nn.Module) -> None:
    """Weights from N(0, 0.02^2), biases 0; normalization layers keep their own start (Radford et al. 2016)."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, std=0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
