"""What probes compare samples in: at most 256 numbers a sample, whatever its size, and 128 of pictures.

Points and tiny pictures are compared as they are. What has more values goes through a fixed network with random weights:
distances in its features order generators as those of pixels do, a classifier on them is not saturated, and the cost
does not grow with the picture. Nothing is learned or downloaded, so that verdicts are the same on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

MAX_VALUES = 256  # of a sample that is compared as it is, and of its features otherwise
SEED = 0  # of the random weights
SLOPE = 0.2  # of the leaky rectifiers
MAX_SIDE = 32  # pixels to which larger pictures are averaged
PICTURE_VALUES = 128  # of a picture's features
FILTERS = (16, 48)  # of the two convolutions: with four times as many, probes order generators no better
GRID = 4  # cells in each direction in which features of a picture are averaged
COLOUR_SHARE = 2.0  # factor on the averaged pixels, which the filters do not see
FRAME, MIN_STRIDE, MAX_FRAMES, SEGMENTS = 64, 16, 1024, 16  # of signals over time, in values, frames and averages

Embedding = Callable[[Tensor], Tensor]


def average_pixels(x: Tensor) -> Tensor:
    """Return pictures (N, C, H, W), averaged to so few pixels that they have at most 256 values, as (N, d)."""
    side = max(1, math.isqrt(MAX_VALUES // x.shape[1]))
    if max(x.shape[2:]) > side:
        x = F.adaptive_avg_pool2d(x, (min(x.shape[2], side), min(x.shape[3], side)))
    return x.flatten(1)


def choose_embedding(shape: tuple[int, ...]) -> Embedding:
    """Return a function from samples (N, *shape) to what they are compared in, (N, at most 256), float32.

    It is the same function for the same shape, on every device.
    """
    if math.prod(shape) <= MAX_VALUES:
        return lambda x: x.flatten(1)
    random = torch.Generator().manual_seed(SEED)
    if len(shape) == 3:
        return _embed_pictures(shape[0], random)
    if len(shape) == 2 and shape[1] >= FRAME:
        return _embed_signals(shape, random)
    weights = _OnDevice(torch.randn(math.prod(shape), MAX_VALUES, generator=random) / MAX_VALUES**0.5)
    return lambda x: x.flatten(1) @ weights.on(x.device)[0]


def _embed_pictures(channels: int, random: torch.Generator) -> Embedding:
    """Two random convolutions, averaged in a grid of cells and projected, beside the averaged pixels.

    The first filters have mean zero and there are no offsets: shifting all values changes the averaged pixels alone, and
    scaling them scales the features, so that it does not matter what the values span.
    """
    narrow, wide = FILTERS
    first = torch.randn(narrow, channels, 5, 5, generator=random) * (2 / (channels * 25)) ** 0.5
    first = first - first.mean(dim=(1, 2, 3), keepdim=True)
    second = torch.randn(wide, narrow, 3, 3, generator=random) * (2 / (narrow * 9)) ** 0.5
    colours = min(channels * GRID**2, PICTURE_VALUES // 2)
    kept = PICTURE_VALUES - colours
    directions = torch.randn(wide * GRID**2, kept, generator=random) / kept**0.5
    weights = _OnDevice(first, second, directions)

    def compute(x: Tensor) -> Tensor:
        first, second, directions = weights.on(x.device)
        if max(x.shape[2:]) > MAX_SIDE:
            x = F.adaptive_avg_pool2d(x, (min(x.shape[2], MAX_SIDE), min(x.shape[3], MAX_SIDE)))
        hidden = F.leaky_relu(F.conv2d(F.pad(x, (2, 2, 2, 2), "replicate"), first, stride=2), SLOPE)
        hidden = F.leaky_relu(F.conv2d(F.pad(hidden, (1, 1, 1, 1), "replicate"), second, stride=2), SLOPE)
        shapes = F.adaptive_avg_pool2d(hidden, GRID).flatten(1) @ directions
        pixels = F.adaptive_avg_pool2d(x, GRID).flatten(1)[:, :colours]
        return torch.cat([shapes, COLOUR_SHARE * pixels], dim=1)

    return compute


class _OnDevice:
    """Weights that are copied to each device once."""

    def __init__(self, *weights: Tensor) -> None:
        self._weights = {torch.device("cpu"): weights}

    def on(self, device: torch.device) -> tuple[Tensor, ...]:
        if device not in self._weights:
            self._weights[device] = tuple(weight.to(device) for weight in self._weights[torch.device("cpu")])
        return self._weights[device]


def _embed_signals(shape: tuple[int, ...], random: torch.Generator) -> Embedding:
    """Magnitudes of random filters over frames of a signal (channels, time), averaged in segments and projected."""
    channels, length = shape
    filters = torch.randn(64, channels, FRAME, generator=random) / (channels * FRAME) ** 0.5
    filters = filters - filters.mean(dim=(1, 2), keepdim=True)
    directions = torch.randn(64 * SEGMENTS, MAX_VALUES, generator=random) / MAX_VALUES**0.5
    stride = max(MIN_STRIDE, length // MAX_FRAMES)
    weights = _OnDevice(filters, directions)

    def compute(x: Tensor) -> Tensor:
        filters, directions = weights.on(x.device)
        magnitudes = F.conv1d(x, filters, stride=stride).abs()
        return F.adaptive_avg_pool1d(magnitudes, SEGMENTS).flatten(1) @ directions

    return compute
