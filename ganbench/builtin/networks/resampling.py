"""Doubling and halving of maps with a binomial filter, so that no frequency folds over another (Zhang 2019)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def binomial_filter(taps: Sequence[float]) -> Tensor:
    """Return a separable filter (1, 1, k, k) that sums to 1, from its taps along one axis, as [1, 3, 3, 1]."""
    line = torch.tensor(taps, dtype=torch.float32)
    square = torch.outer(line, line)
    return (square / square.sum())[None, None]


def filter_maps(x: Tensor, kernel: Tensor, padding: int, stride: int = 1) -> Tensor:
    """Filter each channel of (N, C, H, W) alone, with zeros around it."""
    channels = x.shape[1]
    return F.conv2d(x, kernel.expand(channels, -1, -1, -1), padding=padding, stride=stride, groups=channels)


def upsample(x: Tensor, kernel: Tensor) -> Tensor:
    """Double the side of (N, C, H, W); the mean stays, but for the zeros around the map."""
    channels, size = x.shape[1], kernel.shape[-1]
    kernel = (4 * kernel).expand(channels, -1, -1, -1)
    return F.conv_transpose2d(x, kernel, stride=2, padding=(size - 1) // 2, output_padding=size % 2, groups=channels)


def downsample(x: Tensor, kernel: Tensor) -> Tensor:
    """Halve the side of (N, C, H, W), which is even."""
    return filter_maps(x, kernel, padding=(kernel.shape[-1] - 1) // 2, stride=2)
