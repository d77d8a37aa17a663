"""BigGAN (Brock et al. 2019, https://arxiv.org/abs/1809.11096): wide residual networks with one embedding of the classes.

The defaults are what StudioGAN trains on CIFAR-10 (Kang et al. 2023, https://arxiv.org/abs/2206.09479): 96 channels times
4 in G and times 2 in D, noise of 80 in four parts, and attention at 16x16. DiffAugment's networks (Zhao et al. 2020,
https://arxiv.org/abs/2006.10738) are `width = 256, attention = false, initialization = "normal"` in both players, and
`hierarchical = false, latent_dim = 128` in G.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
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
    Wrap,
    channels_of,
)
from .spectral import spectral_norm

NAME = "biggan"
WIDTHS_G, WIDTHS_D = {32: 384, 64: 1280}, {32: 192, 64: 1280}
Initialization = Literal["orthogonal", "normal"]


class BigGANGenerator(nn.Module):
    """BigGAN generator for images of 32 or 64 pixels: parts of the noise, and the class, set gains and biases.

    Brock et al. (2019), https://arxiv.org/abs/1809.11096.

    Args:
        data: What samples look like.
        latent_dim: Length of a noise vector.
        width: Channels of the widest map; by default 384 at 32 pixels, 1280 at 64.
        attention: Whether there is self-attention at half of the image's side.
        hierarchical: Cut the noise into a part for the first layer and one for each block, and embed the class once, for all
            layers; else the noise is for the first layer alone, and each layer has an embedding of its own.
        shared_dim: Length of the embedding of a class, where there is one for all layers.
        initialization: `"orthogonal"`, the paper's, or normal with a standard deviation of 0.02.
        conditional: Use the labels; the data must have classes.
    """

    check_options = {"width": 32, "latent_dim": 20, "conditional": True}

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the network cannot serve a trial, or None."""
        return _unfit(trial.data, bool(option(trial, "generator", "conditional")))

    def __init__(
        self,
        data: ganbench.DataSpec,
        *,
        latent_dim: int = 80,
        width: int | None = None,
        attention: bool = True,
        hierarchical: bool = True,
        shared_dim: Annotated[int, msgspec.Meta(ge=1)] = 128,
        initialization: Initialization = "orthogonal",
        conditional: bool = False,
    ) -> None:
        super().__init__()
        refuse("generator", NAME, _unfit(data, conditional))
        side = data.shape[1]
        self.latent_dim, self.value_range = latent_dim, data.value_range
        self.classes = data.classes if conditional else 0
        first, *others = channels_of(WIDTHS_G[side] if width is None else width, LAYOUTS[side].generator)
        self.parts = len(others) + 1 if hierarchical else 1
        if latent_dim % self.parts:
            nearest = max(1, round(latent_dim / self.parts)) * self.parts
            refuse("generator", NAME, f"latent_dim = {latent_dim} has no {self.parts} equal parts; try {nearest}")
        part = latent_dim // self.parts
        wrap = spectral(initialization)
        self._embed_at = shared_dim + part if self.classes else part  # length of a block's condition
        self.shared = None
        if self.classes and hierarchical:
            self.shared = _initialize(nn.Embedding(self.classes, shared_dim), initialization)
        self.stem = nn.Sequential(wrap(nn.Linear(part, first * BASE**2)), nn.Unflatten(1, (first, BASE, BASE)))

        def norm(features: int) -> nn.Module:
            if hierarchical:
                return ConditionalBatchNorm(
                    features, *(wrap(nn.Linear(self._embed_at, features, bias=False)) for _ in range(2))
                )
            if not self.classes:
                return ConditionalBatchNorm(features)
            tables = (_initialize(nn.Embedding(self.classes, features), initialization) for _ in range(2))
            return ConditionalBatchNorm(features, *tables)

        self.blocks = nn.ModuleList()
        self.attention, self.attention_after = None, len(others) - 2  # at half of the image's side
        for i, out in enumerate(others):
            self.blocks.append(UpBlock(first, out, norm, wrap))
            if attention and i == self.attention_after:
                self.attention = SelfAttention(out, wrap)
            first = out
        self.norm = nn.BatchNorm2d(first)
        self.head = wrap(nn.Conv2d(first, data.shape[0], 3, padding=1))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map noise (N, latent_dim), and labels (N,) where conditional, to images (N, channels, side, side)."""
        labels = labels_for("generator", NAME, self.classes, labels)
        first, *others = z.chunk(self.parts, dim=1)
        x = self.stem(first)
        embedded = None if self.shared is None else self.shared(labels)
        for i, block in enumerate(self.blocks):
            condition = labels
            if others:
                condition = others[i] if embedded is None else torch.cat([embedded, others[i]], dim=1)
            x = block(x, condition)
            if self.attention is not None and i == self.attention_after:
                x = self.attention(x)
        return to_range(self.head(F.relu(self.norm(x))), self.value_range)


class BigGANDiscriminator(ResidualDiscriminator):
    """BigGAN discriminator for images of 32 or 64 pixels, class-conditional by projection if it is to be.

    Brock et al. (2019), https://arxiv.org/abs/1809.11096.

    Args:
        data: What samples look like.
        width: Channels of the widest map; by default 192 at 32 pixels, 1280 at 64.
        attention: Whether there is self-attention at half of the image's side.
        initialization: `"orthogonal"`, the paper's, or normal with a standard deviation of 0.02.
        conditional: Use the labels; the data must have classes.
    """

    check_options = {"width": 32, "conditional": True}

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the network cannot serve a trial, or None."""
        return _unfit(trial.data, bool(option(trial, "discriminator", "conditional")))

    def __init__(
        self,
        data: ganbench.DataSpec,
        *,
        width: int | None = None,
        attention: bool = True,
        initialization: Initialization = "orthogonal",
        conditional: bool = False,
    ) -> None:
        refuse("discriminator", NAME, _unfit(data, conditional))
        classes = data.classes if conditional else 0
        default = WIDTHS_D[data.shape[1]]
        wrap = spectral(initialization)
        super().__init__(data.shape, default if width is None else width, attention, classes, wrap)
        self.classes = classes

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map images (N, channels, side, side), and labels (N,) where conditional, to logits (N,)."""
        return super().forward(x, labels_for("discriminator", NAME, self.classes, labels))


def spectral(initialization: Initialization) -> Wrap:
    """Return what initializes a layer and normalizes its weight."""
    return lambda layer: spectral_norm(_initialize(layer, initialization))


def _initialize(layer: Any, initialization: Initialization) -> Any:
    """Initialize weights; biases keep torch's initial values, as the authors' do."""
    if initialization == "orthogonal":
        nn.init.orthogonal_(layer.weight)
    else:
        nn.init.normal_(layer.weight, 0.0, 0.02)
    return layer


def _unfit(data: ganbench.DataSpec, conditional: bool) -> str | None:
    return why_not_images("BigGAN", data, SIDES) or why_no_classes(data, conditional)
