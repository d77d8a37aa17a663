"""Residual discriminator of SNGAN (Miyato et al. 2018), class-conditional by projection."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

import ganbench

from .initialization import BEFORE_RELU, glorot
from .requirements import channels, labels_for, why_unsupported
from .spectral import SpectralConv2d, SpectralEmbedding, SpectralLinear


@dataclass(frozen=True)
class Table:
    """A discriminator of the paper's appendix: a block for each divisor, of which the first `halvings` halve the side."""

    width: int
    divisors: tuple[int, ...]  # of the width: a block's channels
    halvings: int


TABLES = {
    32: Table(128, (1, 1, 1, 1), 2),  # CIFAR-10
    48: Table(1024, (16, 8, 4, 2, 1), 4),  # STL-10
    64: Table(1024, (16, 8, 4, 2, 1), 5),  # ImageNet's of 128 pixels without its last block
}


class SNGANDiscriminator(nn.Module):
    """SNGAN's residual discriminator for images of 32, 48 or 64 pixels (Miyato et al. 2018).

    Every layer is spectrally normalized, one power iteration a forward pass. `width` is the channels of the widest
    layer; by default the paper's: 128 for 32 pixels, 1024 for 48 and 64. With `conditional`, the logit gains the
    inner product of the features and an embedding of the class (projection, Miyato and Koyama 2018).

    Raises ValueError for data other than images of these sizes, for a conditional network without classes, and for a
    width that is no multiple of what the layers need.
    """

    check_options = {"width": 16}

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the discriminator cannot be built for this trial, or None if it can."""
        return why_unsupported(trial.data, bool(trial.components.discriminator.options.get("conditional")))

    def __init__(self, data: ganbench.DataSpec, *, width: int | None = None, conditional: bool = False) -> None:
        super().__init__()
        if why := why_unsupported(data, conditional):
            raise ValueError(f"discriminator 'sngan': {why}")
        table = TABLES[data.shape[1]]
        self.classes = data.classes if conditional else 0
        self.blocks = nn.Sequential()
        before = data.shape[0]
        widths = channels("discriminator", table.width if width is None else width, table.divisors)
        for i, out in enumerate(widths):
            self.blocks.append(DownBlock(before, out, first=i == 0, halve=i < table.halvings))
            before = out
        self.head = glorot(SpectralLinear(before, 1))
        self.embedding = glorot(SpectralEmbedding(self.classes, before)) if self.classes else None

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, channels, side, side), and labels of shape (N,) where conditional -> logits (N,).

        Raises ValueError if labels are needed and missing; an unconditional network ignores them.
        """
        labels = labels_for("discriminator", self.classes, labels)
        features = F.relu(self.blocks(x)).sum(dim=(2, 3))
        logits = self.head(features).squeeze(1)
        if self.embedding is not None:
            logits = logits + (self.embedding(labels) * features).sum(dim=1)
        return logits


class DownBlock(nn.Module):
    """A residual block without batch normalization; with `halve`, it halves the side.

    The `first` one has no ReLU before its first convolution, which sees the image.
    """

    def __init__(self, channels_in: int, channels_out: int, *, first: bool, halve: bool) -> None:
        super().__init__()
        self.first, self.halve = first, halve
        hidden = channels_out if first else channels_in
        self.conv1 = glorot(SpectralConv2d(channels_in, hidden, 3), BEFORE_RELU)
        self.conv2 = glorot(SpectralConv2d(hidden, channels_out, 3), BEFORE_RELU)
        identity = channels_in == channels_out and not halve
        self.shortcut = nn.Identity() if identity else glorot(SpectralConv2d(channels_in, channels_out, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels_in, H, W) -> (N, channels_out, H, W), or half of H and W."""
        h = self.conv1(x if self.first else F.relu(x))
        h = self.conv2(F.relu(h))
        if not self.halve:
            return h + self.shortcut(x)
        # Pooling before the shortcut's convolution: the same numbers for a quarter of the operations.
        return F.avg_pool2d(h, 2) + self.shortcut(F.avg_pool2d(x, 2))
