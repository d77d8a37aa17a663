"""SAGAN (Zhang et al. 2019, https://arxiv.org/abs/1805.08318): residual networks with self-attention.

At 32 pixels it is the network that StudioGAN trains on CIFAR-10 (Kang et al. 2023, https://arxiv.org/abs/2206.09479): that
of SNGAN with spectral normalization of both players, and self-attention at 16x16, after G's second block and D's first.
Weights begin Glorot-uniform and biases at zero, as in the authors' code.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ganbench

from .layers import to_range
from .requirements import labels_for, option, refuse, why_no_classes, why_not_images
from .residual import (
    BASE,
    LAYOUTS,
    SIDES,
    ConditionalBatchNorm,
    ResidualDiscriminator,
    SelfAttention,
    UpBlock,
    channels_of,
)
from .spectral import spectral_norm

NAME = "sagan"
WIDTHS_G, WIDTHS_D = {32: 256, 64: 1024}, {32: 128, 64: 1024}


class SAGANGenerator(nn.Module):
    """SAGAN generator for images of 32 or 64 pixels, class-conditional by batch normalization if it is to be.

    Zhang et al. (2019), https://arxiv.org/abs/1805.08318.

    Args:
        data: What samples look like.
        latent_dim: Length of a noise vector.
        width: Channels of the widest map; by default 256 at 32 pixels, 1024 at 64.
        conditional: Use the labels; the data must have classes.
    """

    check_options = {"width": 32}

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the network cannot serve a trial, or None."""
        return _unfit(trial.data, bool(option(trial, "generator", "conditional")))

    def __init__(
        self,
        data: ganbench.DataSpec,
        *,
        latent_dim: int = 128,
        width: int | None = None,
        conditional: bool = False,
    ) -> None:
        super().__init__()
        refuse("generator", NAME, _unfit(data, conditional))
        side = data.shape[1]
        self.latent_dim, self.value_range = latent_dim, data.value_range
        self.classes = data.classes if conditional else 0
        first, *others = channels_of(WIDTHS_G[side] if width is None else width, LAYOUTS[side].generator)
        self.stem = nn.Sequential(
            spectral_glorot(nn.Linear(latent_dim, first * BASE**2)), nn.Unflatten(1, (first, BASE, BASE))
        )
        self.blocks = nn.ModuleList()
        for i, out in enumerate(others):
            self.blocks.append(UpBlock(first, out, self._norm, spectral_glorot))
            if i == len(others) - 2:  # at half of the image's side
                self.attention_after, self.attention = i, SelfAttention(out, spectral_glorot)
            first = out
        self.norm = nn.BatchNorm2d(first)
        self.head = spectral_glorot(nn.Conv2d(first, data.shape[0], 3, padding=1))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map noise (N, latent_dim), and labels (N,) where conditional, to images (N, channels, side, side)."""
        labels = labels_for("generator", NAME, self.classes, labels)
        x = self.stem(z)
        for i, block in enumerate(self.blocks):
            x = block(x, labels)
            if i == self.attention_after:
                x = self.attention(x)
        return to_range(self.head(F.relu(self.norm(x))), self.value_range)

    def _norm(self, features: int) -> nn.Module:
        if not self.classes:
            return ConditionalBatchNorm(features)
        tables = [nn.Embedding(self.classes, features, _weight=torch.zeros(self.classes, features)) for _ in range(2)]
        return ConditionalBatchNorm(features, *tables)


class SAGANDiscriminator(ResidualDiscriminator):
    """SAGAN discriminator for images of 32 or 64 pixels, class-conditional by projection if it is to be.

    Zhang et al. (2019), https://arxiv.org/abs/1805.08318.

    Args:
        data: What samples look like.
        width: Channels of the widest map; by default 128 at 32 pixels, 1024 at 64.
        conditional: Use the labels; the data must have classes.
    """

    check_options = {"width": 32}

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the network cannot serve a trial, or None."""
        return _unfit(trial.data, bool(option(trial, "discriminator", "conditional")))

    def __init__(self, data: ganbench.DataSpec, *, width: int | None = None, conditional: bool = False) -> None:
        refuse("discriminator", NAME, _unfit(data, conditional))
        classes = data.classes if conditional else 0
        default = WIDTHS_D[data.shape[1]]
        super().__init__(data.shape, default if width is None else width, True, classes, spectral_glorot)
        self.classes = classes

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map images (N, channels, side, side), and labels (N,) where conditional, to logits (N,)."""
        return super().forward(x, labels_for("discriminator", NAME, self.classes, labels))


def spectral_glorot(layer: Any) -> Any:
    """Return a layer with Glorot-uniform weights, biases at zero, and spectral normalization."""
    nn.init.xavier_uniform_(layer.weight)
    if getattr(layer, "bias", None) is not None:
        nn.init.zeros_(layer.bias)
    return spectral_norm(layer)


def _unfit(data: ganbench.DataSpec, conditional: bool) -> str | None:
    return why_not_images("SAGAN", data, SIDES) or why_no_classes(data, conditional)
