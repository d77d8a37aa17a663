"""StyleGAN2 (Karras et al. 2020, https://arxiv.org/abs/1912.04958), in the configuration `cifar` of StyleGAN2-ADA.

Karras et al. (2020), https://arxiv.org/abs/2006.06676: noise and styles of 512, two mapping layers, up to 512 channels, a
generator that sums images over resolutions, a discriminator without skip connections, and the standard deviation over
minibatches of 32. There is no style mixing, no truncation, and no path length penalty.

Weights begin standard normal and are scaled when they are used ("equalized learning rate"); biases begin at 0, and those
of styles at 1. The authors train with `adam`, lr 0.0025 and betas (0, 0.99), `r1` with weight 0.01 each 16 updates of D, and
an average of G over 500,000 images: `ema = 0.99991` for batches of 64.
"""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ganbench

from .layers import from_range, linear_to_range
from .requirements import labels_for, option, refuse, why_no_classes, why_not_images
from .resampling import binomial_filter, filter_maps, upsample

NAME = "stylegan2"
SIDES = (8, 16, 32, 64, 128, 256)
BASE = 4  # pixels of the smallest map
CHANNELS_BASE = 32768  # channels of a map are at most this, divided by its side
TAPS = (1, 3, 3, 1)
SLOPE, GAIN = 0.2, math.sqrt(2)  # of the leaky ReLU


class StyleGAN2Generator(nn.Module):
    """StyleGAN2 generator for images of 8 to 256 pixels; a class is embedded beside the noise if it is to be.

    Karras et al. (2020), https://arxiv.org/abs/1912.04958. Layers add noise of their own to their maps: fresh while G is
    trained, fixed while it is evaluated. Images are not bounded while it is trained, and clipped to the data's range while
    it is evaluated, as the authors do.

    Args:
        data: What samples look like; the side is a power of 2.
        latent_dim: Length of a noise vector.
        style_dim: Length of a style vector.
        mapping_layers: Layers from noise to style.
        width: Most channels that a map has.
        conditional: Use the labels; the data must have classes.
    """

    check_options = {"width": 16, "latent_dim": 8, "style_dim": 16}

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the network cannot serve a trial, or None."""
        return _unfit(trial.data, bool(option(trial, "generator", "conditional")))

    def __init__(
        self,
        data: ganbench.DataSpec,
        *,
        latent_dim: int = 512,
        style_dim: int = 512,
        mapping_layers: int = 2,
        width: int = 512,
        conditional: bool = False,
    ) -> None:
        super().__init__()
        refuse("generator", NAME, _unfit(data, conditional))
        self.latent_dim, self.value_range = latent_dim, data.value_range
        self.classes = data.classes if conditional else 0
        self.mapping = Mapping(latent_dim, self.classes, style_dim, mapping_layers)
        sides = _sides(data.shape[1])
        before = _channels(BASE, width)
        self.constant = nn.Parameter(torch.randn(before, BASE, BASE))
        self.layers, self.to_image = nn.ModuleList(), nn.ModuleList()
        for side in sides:
            channels = _channels(side, width)
            if side > BASE:
                self.layers.append(StyledConvolution(before, channels, style_dim, side, up=True))
            self.layers.append(StyledConvolution(channels, channels, style_dim, side))
            self.to_image.append(ToImage(channels, data.shape[0], style_dim))
            before = channels
        self.register_buffer("kernel", binomial_filter(TAPS), persistent=False)
        self.kernel: Tensor

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map noise (N, latent_dim), and labels (N,) where conditional, to images (N, channels, side, side)."""
        w = self.mapping(z, labels_for("generator", NAME, self.classes, labels))
        x = self.constant.expand(len(z), -1, -1, -1)
        layers, image = iter(self.layers), x  # which the first image replaces
        for i, to_image in enumerate(self.to_image):
            for _ in range(2 if i else 1):
                x = next(layers)(x, w)
            image = upsample(image, self.kernel) + to_image(x, w) if i else to_image(x, w)
        return linear_to_range(image, self.value_range, clip=not self.training)


class StyleGAN2Discriminator(nn.Module):
    """StyleGAN2 discriminator without skip connections for images of 8 to 256 pixels, conditional by projection.

    Karras et al. (2020), https://arxiv.org/abs/1912.04958. It judges by the standard deviation over groups of a batch, too:
    over `group` samples, or over as many as divide the batch.

    Args:
        data: What samples look like; the side is a power of 2.
        width: Most channels that a map has.
        group: Samples of a group whose standard deviation is a map of its own; 0 for none.
        conditional: Use the labels; the data must have classes.
    """

    check_options = {"width": 16}

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the network cannot serve a trial, or None."""
        return _unfit(trial.data, bool(option(trial, "discriminator", "conditional")))

    def __init__(
        self, data: ganbench.DataSpec, *, width: int = 512, group: int = 32, conditional: bool = False
    ) -> None:
        super().__init__()
        refuse("discriminator", NAME, _unfit(data, conditional))
        self.classes = data.classes if conditional else 0
        self.value_range, self.group = data.value_range, group
        sides = _sides(data.shape[1])[::-1]
        last = _channels(BASE, width)
        self.from_image = Convolution(data.shape[0], _channels(sides[0], width), 1)
        self.blocks = nn.Sequential()
        for side in sides[:-1]:
            channels = _channels(side, width)
            self.blocks.append(Convolution(channels, channels, 3))
            self.blocks.append(Convolution(channels, _channels(side // 2, width), 3, down=True))
        self.last = Convolution(last + (1 if group else 0), last, 3)
        self.dense = EqualizedLinear(last * BASE**2, last, activate=True)
        self.head = EqualizedLinear(last, last if self.classes else 1)
        self.mapping = Mapping(0, self.classes, last, 8) if self.classes else None

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map images (N, channels, side, side), and labels (N,) where conditional, to logits (N,)."""
        labels = labels_for("discriminator", NAME, self.classes, labels)
        x = self.blocks(self.from_image(from_range(x, self.value_range)))
        if self.group:
            x = add_minibatch_std(x, self.group)
        x = self.head(self.dense(self.last(x).flatten(1)))
        if self.mapping is None:
            return x.squeeze(1)
        return (x * self.mapping(None, labels)).sum(dim=1) / math.sqrt(x.shape[1])


class Mapping(nn.Module):
    """From noise and classes to styles: normalized, joined, then layers that learn a hundred times slower.

    Args:
        latent_dim: Length of a noise vector; 0 for none.
        classes: Classes that are embedded; 0 for none.
        style_dim: Length of a style.
        layers: How many.
    """

    def __init__(self, latent_dim: int, classes: int, style_dim: int, layers: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.embedding = EqualizedEmbedding(classes, style_dim) if classes else None
        sizes = [latent_dim + (style_dim if classes else 0)] + [style_dim] * layers
        self.layers = nn.Sequential(
            *(EqualizedLinear(a, b, activate=True, lr_multiplier=0.01) for a, b in itertools.pairwise(sizes))
        )

    def forward(self, z: Tensor | None, labels: Tensor | None) -> Tensor:
        """(N, latent_dim) if there is noise, and labels (N,) if there are classes -> (N, style_dim)."""
        parts = [] if z is None else [_normalize_second_moment(z)]
        if self.embedding is not None:
            parts.append(_normalize_second_moment(self.embedding(labels)))
        styles: Tensor = self.layers(torch.cat(parts, dim=1))
        return styles


class EqualizedLinear(nn.Module):
    """A linear layer whose weights begin standard normal and are scaled when they are used (Karras et al. 2018)."""

    def __init__(
        self, fan_in: int, fan_out: int, *, activate: bool = False, bias: float = 0.0, lr_multiplier: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(fan_out, fan_in) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((fan_out,), bias))
        self.activate, self.lr_multiplier = activate, lr_multiplier
        self.scale = lr_multiplier / math.sqrt(fan_in)

    def forward(self, x: Tensor) -> Tensor:
        """(N, fan_in) -> (N, fan_out)."""
        x = F.linear(x, self.weight * self.scale, self.bias * self.lr_multiplier)
        return F.leaky_relu(x, SLOPE) * GAIN if self.activate else x


class EqualizedEmbedding(nn.Module):
    """An `EqualizedLinear` of one-hot classes."""

    def __init__(self, classes: int, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, features))
        self.bias = nn.Parameter(torch.zeros(features))
        self.scale = 1 / math.sqrt(classes)

    def forward(self, labels: Tensor) -> Tensor:
        """(N,) -> (N, features)."""
        return F.embedding(labels, self.weight) * self.scale + self.bias


class Convolution(nn.Module):
    """A convolution with equalized weights and leaky ReLU; with `down` it filters and halves the side."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, *, down: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(channels_out))
        self.scale, self.padding, self.down = 1 / math.sqrt(channels_in * kernel**2), kernel // 2, down
        self.register_buffer("kernel", binomial_filter(TAPS) if down else None, persistent=False)
        self.kernel: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels_in, H, W) -> (N, channels_out, H, W), or half of H and W."""
        weight = self.weight * self.scale
        if self.down:
            x = F.conv2d(filter_maps(x, self.kernel, padding=2), weight, self.bias, stride=2)
        else:
            x = F.conv2d(x, weight, self.bias, padding=self.padding)
        return F.leaky_relu(x, SLOPE) * GAIN


class StyledConvolution(nn.Module):
    """A 3x3 convolution with styled and demodulated weights, noise and leaky ReLU; with `up` it doubles the side."""

    def __init__(self, channels_in: int, channels_out: int, style_dim: int, side: int, *, up: bool = False) -> None:
        super().__init__()
        self.style = EqualizedLinear(style_dim, channels_in, bias=1.0)
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, 3, 3))
        self.bias = nn.Parameter(torch.zeros(channels_out))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.up, self.scale = up, 1 / math.sqrt(9 * channels_in)
        self.register_buffer("fixed_noise", torch.randn(side, side))
        self.register_buffer("kernel", binomial_filter(TAPS) if up else None, persistent=False)
        self.fixed_noise: Tensor
        self.kernel: Tensor

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(N, channels_in, H, W) and styles (N, style_dim) -> (N, channels_out, H, W), or twice H and W."""
        styles, weight = self.style(w), self.weight * self.scale
        # Scaling what comes in and goes out is the same as scaling weights of each sample's own.
        demodulation = (styles.square() @ weight.square().sum(dim=(2, 3)).T + 1e-8).rsqrt()
        x = x * styles[:, :, None, None]
        if self.up:
            x = filter_maps(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), 4 * self.kernel, padding=1)
        else:
            x = F.conv2d(x, weight, padding=1)
        x = x * demodulation[:, :, None, None]
        noise = torch.randn_like(x[:, :1]) if self.training else self.fixed_noise
        x = x + noise * self.noise_strength + self.bias[:, None, None]
        return F.leaky_relu(x, SLOPE) * GAIN


class ToImage(nn.Module):
    """A 1x1 convolution to the image's channels with styled weights, not demodulated."""

    def __init__(self, channels_in: int, channels_out: int, style_dim: int) -> None:
        super().__init__()
        self.style = EqualizedLinear(style_dim, channels_in, bias=1.0)
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels_out))
        self.scale = 1 / math.sqrt(channels_in)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(N, channels_in, H, W) and styles (N, style_dim) -> (N, channels_out, H, W)."""
        styles = self.style(w) * self.scale
        return F.conv2d(x * styles[:, :, None, None], self.weight, self.bias)


def add_minibatch_std(x: Tensor, group: int) -> Tensor:
    """Return (N, C + 1, H, W): beside the maps, their mean standard deviation over groups (Karras et al. 2018).

    Args:
        x: Maps (N, C, H, W).
        group: Samples of a group; fewer where that does not divide N. Samples N / group apart are in one.
    """
    n, channels, height, width = x.shape
    size = next(k for k in range(min(group, n), 0, -1) if n % k == 0)
    groups = x.reshape(size, n // size, channels, height, width)
    std = (groups.var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    return torch.cat([x, std.repeat(size)[:, None, None, None].expand(-1, 1, height, width)], dim=1)


def _normalize_second_moment(x: Tensor) -> Tensor:
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


def _channels(side: int, width: int) -> int:
    return min(CHANNELS_BASE // side, width)


def _sides(side: int) -> list[int]:
    """Return the sides of the maps, from the smallest to the image's."""
    return [BASE * 2**i for i in range((side // BASE).bit_length())]


def _unfit(data: ganbench.DataSpec, conditional: bool) -> str | None:
    return why_not_images("StyleGAN2", data, SIDES) or why_no_classes(data, conditional)
