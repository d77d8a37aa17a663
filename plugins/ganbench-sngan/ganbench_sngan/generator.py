"""Residual generator of SNGAN (Miyato et al. 2018), class-conditional by batch normalization."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ganbench

from .initialization import BEFORE_RELU, glorot
from .requirements import channels, labels_for, why_unsupported


@dataclass(frozen=True)
class Table:
    """A generator of the paper's appendix: `width` channels of `base` x `base`, then a block for each divisor."""

    width: int
    base: int
    divisors: tuple[int, ...]  # of the width: a block's channels


TABLES = {
    32: Table(256, 4, (1, 1, 1)),  # CIFAR-10
    48: Table(512, 6, (2, 4, 8)),  # STL-10
    64: Table(1024, 4, (2, 4, 8, 16)),  # ImageNet's of 128 pixels, one doubling less
}


class SNGANGenerator(nn.Module):
    """SNGAN's residual generator for images of 32, 48 or 64 pixels (Miyato et al. 2018).

    `width` is the channels of the widest layer; by default the paper's: 256 for 32 pixels, 512 for 48, 1024 for 64.
    With `conditional`, batch normalization has a gain and a bias for each class (Dumoulin et al. 2017; Miyato and
    Koyama 2018). The output spans the data's range by a tanh, and is unbounded where the data is.

    Raises ValueError for data other than images of these sizes, for a conditional network without classes, and for a
    width that is no multiple of what the layers need.
    """

    check_options = {"width": 16}

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the generator cannot be built for this trial, or None if it can."""
        return why_unsupported(trial.data, bool(trial.components.generator.options.get("conditional")))

    def __init__(
        self,
        data: ganbench.DataSpec,
        *,
        latent_dim: int = 128,
        width: int | None = None,
        conditional: bool = False,
    ) -> None:
        super().__init__()
        if why := why_unsupported(data, conditional):
            raise ValueError(f"generator 'sngan': {why}")
        if latent_dim < 1:
            raise ValueError(f"generator 'sngan': latent_dim = {latent_dim} must be at least 1")
        table = TABLES[data.shape[1]]
        self.latent_dim = latent_dim
        self.classes = data.classes if conditional else 0
        self.value_range = data.value_range
        first, *others = channels("generator", table.width if width is None else width, (1, *table.divisors))
        dense = glorot(nn.Linear(latent_dim, first * table.base**2))
        self.stem = nn.Sequential(dense, nn.Unflatten(1, (first, table.base, table.base)))
        self.blocks = nn.ModuleList()
        for out in others:
            self.blocks.append(UpBlock(first, out, self.classes))
            first = out
        last = glorot(nn.Conv2d(first, data.shape[0], 3, padding=1))
        self.head = nn.Sequential(nn.BatchNorm2d(first), nn.ReLU(), last)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, latent_dim), and labels of shape (N,) where conditional -> (N, channels, side, side).

        Raises ValueError if labels are needed and missing; an unconditional network ignores them.
        """
        labels = labels_for("generator", self.classes, labels)
        x = self.stem(z)
        for block in self.blocks:
            x = block(x, labels)
        x = self.head(x)
        if self.value_range is None:
            return x
        low, high = self.value_range
        return low + (high - low) * (torch.tanh(x) + 1) / 2


class UpBlock(nn.Module):
    """A residual block that doubles the side."""

    def __init__(self, channels_in: int, channels_out: int, classes: int) -> None:
        super().__init__()
        self.norm1 = BatchNorm(channels_in, classes)
        self.conv1 = glorot(nn.Conv2d(channels_in, channels_out, 3, padding=1), BEFORE_RELU)
        self.norm2 = BatchNorm(channels_out, classes)
        self.conv2 = glorot(nn.Conv2d(channels_out, channels_out, 3, padding=1), BEFORE_RELU)
        self.shortcut = glorot(nn.Conv2d(channels_in, channels_out, 1))

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """(N, channels_in, H, W) -> (N, channels_out, 2H, 2W)."""
        h = self.conv1(_upsample(F.relu(self.norm1(x, labels))))
        h = self.conv2(F.relu(self.norm2(h, labels)))
        return h + _upsample(self.shortcut(x))  # upsampled last: the same numbers for a quarter of the operations


class BatchNorm(nn.Module):
    """Batch normalization, with a gain and a bias for each class if there are classes."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.batch = nn.BatchNorm2d(features, affine=not classes)
        self.gains = self.biases = None
        if classes:
            self.gains, self.biases = nn.Embedding(classes, features), nn.Embedding(classes, features)
            nn.init.ones_(self.gains.weight)
            nn.init.zeros_(self.biases.weight)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """(N, features, H, W) -> the same shape."""
        x = self.batch(x)
        if self.gains is None or self.biases is None:
            return x
        return x * self.gains(labels)[:, :, None, None] + self.biases(labels)[:, :, None, None]


def _upsample(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")
