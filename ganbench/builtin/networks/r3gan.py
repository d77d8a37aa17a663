"""R3GAN (Huang et al. 2024, https://arxiv.org/abs/2501.05441): a baseline without normalization and without tricks.

Stages of two residual blocks, 1x1, grouped 3x3 with 16 channels a group, 1x1, at twice the channels; leaky ReLU, and [1, 2, 1]
filters where the side changes. Weights begin as in Fixup: normal with He's gain, scaled down by the number of blocks, and
the last convolution of a block at 0, so that every block begins as the identity. The authors train with the relativistic
loss and `r1` and `r2` with weights from 0.05 down to 0.005; on CIFAR-10 with batches of 512, where G has 20.8 M weights.
"""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Any

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ganbench

from .layers import from_range, linear_to_range
from .requirements import labels_for, option, refuse, why_no_classes, why_not_images
from .resampling import binomial_filter, downsample, upsample

NAME = "r3gan"
SIDES = (8, 16, 32, 64, 128, 256)
BASE = 4  # pixels of the smallest map
FULL_SIDE = 32  # maps up to this side have all the channels; beyond it, each doubling halves them
BLOCKS, EXPANSION, GROUP = 2, 2, 16  # blocks of a stage, hidden channels by outer ones, channels of a group
TAPS = (1, 2, 1)
SLOPE = 0.2  # of the leaky ReLU
GAIN = math.sqrt(2 / (1 + SLOPE**2))

Width = Annotated[int, msgspec.Meta(ge=8, multiple_of=8)]


class R3GANGenerator(nn.Module):
    """R3GAN generator for images of 8 to 256 pixels; a class is embedded beside the noise if it is to be.

    Huang et al. (2024), https://arxiv.org/abs/2501.05441. Images are not bounded while it is trained, and clipped to the
    data's range while it is evaluated.

    Args:
        data: What samples look like; the side is a power of 2.
        latent_dim: Length of a noise vector, and of the embedding of a class.
        width: Channels of maps of up to 32 pixels.
        conditional: Use the labels; the data must have classes.
    """

    check_options = {"width": 16, "latent_dim": 8}

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the network cannot serve a trial, or None."""
        return _unfit(trial.data, bool(option(trial, "generator", "conditional")))

    def __init__(
        self, data: ganbench.DataSpec, *, latent_dim: int = 64, width: Width = 768, conditional: bool = False
    ) -> None:
        super().__init__()
        refuse("generator", NAME, _unfit(data, conditional))
        self.latent_dim, self.value_range = latent_dim, data.value_range
        self.classes = data.classes if conditional else 0
        self.embedding = _he(nn.Linear(self.classes, latent_dim, bias=False)) if self.classes else None
        widths = [_channels(side, width) for side in _sides(data.shape[1])]
        self.basis = nn.Parameter(torch.randn(widths[0], BASE, BASE))
        self.project = _he(nn.Linear(latent_dim * (2 if self.classes else 1), widths[0], bias=False))
        self.stages = nn.ModuleList(_stage(channels, BLOCKS * len(widths)) for channels in widths)
        self.transitions = nn.ModuleList(_resize(a, b) for a, b in itertools.pairwise(widths))
        self.to_image = _he(nn.Conv2d(widths[-1], data.shape[0], 1, bias=False))
        self.register_buffer("kernel", binomial_filter(TAPS), persistent=False)
        self.kernel: Tensor

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map noise (N, latent_dim), and labels (N,) where conditional, to images (N, channels, side, side)."""
        labels = labels_for("generator", NAME, self.classes, labels)
        if self.embedding is not None:
            z = torch.cat([z, _embed(self.embedding, labels)], dim=1)
        x = self.project(z)[:, :, None, None] * self.basis
        for i, stage in enumerate(self.stages):
            if i:
                x = upsample(self.transitions[i - 1](x), self.kernel)
            x = stage(x)
        return linear_to_range(self.to_image(x), self.value_range, clip=not self.training)


class R3GANDiscriminator(nn.Module):
    """R3GAN discriminator for images of 8 to 256 pixels, class-conditional by projection if it is to be.

    Huang et al. (2024), https://arxiv.org/abs/2501.05441.

    Args:
        data: What samples look like; the side is a power of 2.
        width: Channels of maps of up to 32 pixels.
        conditional: Use the labels; the data must have classes.
    """

    check_options = {"width": 16}

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the network cannot serve a trial, or None."""
        return _unfit(trial.data, bool(option(trial, "discriminator", "conditional")))

    def __init__(self, data: ganbench.DataSpec, *, width: Width = 768, conditional: bool = False) -> None:
        super().__init__()
        refuse("discriminator", NAME, _unfit(data, conditional))
        self.value_range = data.value_range
        self.classes = data.classes if conditional else 0
        widths = [_channels(side, width) for side in reversed(_sides(data.shape[1]))]
        self.from_image = _he(nn.Conv2d(data.shape[0], widths[0], 1, bias=False))
        self.stages = nn.ModuleList(_stage(channels, BLOCKS * len(widths)) for channels in widths)
        self.transitions = nn.ModuleList(_resize(a, b) for a, b in itertools.pairwise(widths))
        last = widths[-1]
        self.basis = _he(nn.Conv2d(last, last, BASE, groups=last, bias=False))
        self.head = _he(nn.Linear(last, last if self.classes else 1, bias=False))
        self.embedding = None
        if self.classes:  # scaled so that the logit, a sum over features, is not
            self.embedding = _he(nn.Linear(self.classes, last, bias=False), 1 / math.sqrt(last))
        self.register_buffer("kernel", binomial_filter(TAPS), persistent=False)
        self.kernel: Tensor

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map images (N, channels, side, side), and labels (N,) where conditional, to logits (N,)."""
        labels = labels_for("discriminator", NAME, self.classes, labels)
        x = self.from_image(from_range(x, self.value_range))
        for i, stage in enumerate(self.stages):
            if i:
                x = self.transitions[i - 1](downsample(x, self.kernel))
            x = stage(x)
        x = self.head(self.basis(x).flatten(1))
        return x.squeeze(1) if self.embedding is None else (x * _embed(self.embedding, labels)).sum(dim=1)


class SmallR3GANGenerator(R3GANGenerator):
    """R3GAN's generator with a third of the channels: 2.7 M weights at 32 pixels, for hours on one GPU.

    The architecture is that of Huang et al. (2024), https://arxiv.org/abs/2501.05441; the size is ours.

    Args:
        data: What samples look like; the side is a power of 2.
        latent_dim: Length of a noise vector, and of the embedding of a class.
        width: Channels of maps of up to 32 pixels.
        conditional: Use the labels; the data must have classes.
    """

    def __init__(
        self, data: ganbench.DataSpec, *, latent_dim: int = 64, width: Width = 256, conditional: bool = False
    ) -> None:
        super().__init__(data, latent_dim=latent_dim, width=width, conditional=conditional)


class SmallR3GANDiscriminator(R3GANDiscriminator):
    """R3GAN's discriminator with a third of the channels: 2.7 M weights at 32 pixels, for hours on one GPU.

    The architecture is that of Huang et al. (2024), https://arxiv.org/abs/2501.05441; the size is ours.

    Args:
        data: What samples look like; the side is a power of 2.
        width: Channels of maps of up to 32 pixels.
        conditional: Use the labels; the data must have classes.
    """

    def __init__(self, data: ganbench.DataSpec, *, width: Width = 256, conditional: bool = False) -> None:
        super().__init__(data, width=width, conditional=conditional)


class ResidualBlock(nn.Module):
    """1x1, grouped 3x3, 1x1, with biased leaky ReLUs between; the identity when it is new.

    Args:
        channels: In and out; a multiple of 8.
        blocks: Residual blocks of the whole network, by which the initial weights are scaled down.
    """

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        hidden = channels * EXPANSION
        gain = GAIN * blocks**-0.25  # Fixup's scale for branches of three layers
        self.expand = _he(nn.Conv2d(channels, hidden, 1, bias=False), gain)
        self.mix = _he(nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden // GROUP, bias=False), gain)
        self.reduce = _he(nn.Conv2d(hidden, channels, 1, bias=False), 0.0)
        self.bias1, self.bias2 = (nn.Parameter(torch.zeros(hidden, 1, 1)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> the same shape."""
        h = F.leaky_relu(self.expand(x) + self.bias1, SLOPE)
        h = F.leaky_relu(self.mix(h) + self.bias2, SLOPE)
        return x + self.reduce(h)


def _stage(channels: int, blocks: int) -> nn.Module:
    return nn.Sequential(*(ResidualBlock(channels, blocks) for _ in range(BLOCKS)))


def _resize(channels_in: int, channels_out: int) -> nn.Module:
    """Return what changes the channels between two stages; nothing where they are alike."""
    if channels_in == channels_out:
        return nn.Identity()
    resized: nn.Module = _he(nn.Conv2d(channels_in, channels_out, 1, bias=False))
    return resized


def _he(layer: Any, gain: float = 1.0) -> Any:
    """Return a layer with normal weights of standard deviation gain / sqrt(fan in)."""
    fan_in = layer.weight[0].numel()
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(fan_in))
    return layer


def _embed(embedding: nn.Linear, labels: Any) -> Tensor:
    """Return the embeddings (N, features) of classes: a linear layer of one-hot vectors."""
    return F.embedding(labels, embedding.weight.T)


def _channels(side: int, width: int) -> int:
    return width if side <= FULL_SIDE else max(8, width * FULL_SIDE // side // 8 * 8)  # groups come out whole


def _sides(side: int) -> list[int]:
    """Return the sides of the maps, from the smallest to the image's."""
    return [BASE * 2**i for i in range((side // BASE).bit_length())]


def _unfit(data: ganbench.DataSpec, conditional: bool) -> str | None:
    return why_not_images("R3GAN", data, SIDES) or why_no_classes(data, conditional)
