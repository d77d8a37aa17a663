"""What SAGAN and BigGAN are made of: residual blocks, batch normalization under a condition, and self-attention.

The blocks are those of SNGAN (Miyato et al. 2018) with the layers that BigGAN widened; how layers are normalized is up to
the network that they belong to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Wrap = Callable[[nn.Module], nn.Module]  # initializes a layer, and normalizes its weight


@dataclass(frozen=True)
class Layout:
    """The channels of maps, as divisors of the widest.

    Attributes:
        generator: Of the 4x4 map, then after each doubling.
        discriminator: After each block.
        halvings: How many of D's blocks halve the side; the first ones.
    """

    generator: tuple[int, ...]
    discriminator: tuple[int, ...]
    halvings: int


LAYOUTS = {  # by the side in pixels: StudioGAN's tables (Kang et al. 2023), those of BigGAN's authors at 64 pixels
    32: Layout((1, 1, 1, 1), (1, 1, 1, 1), 2),
    64: Layout((1, 2, 4, 8, 16), (16, 8, 4, 2, 1), 4),
}
SIDES = tuple(LAYOUTS)
BASE = 4  # pixels of G's first map


def channels_of(width: int, divisors: tuple[int, ...]) -> list[int]:
    """Return the channels of each map. Raises ValueError if the narrowest does not come out whole."""
    widest = max(divisors)
    if width < 1 or width % widest:
        nearest = max(1, round(width / widest)) * widest
        raise ValueError(f"width = {width} is no positive multiple of {widest}; the nearest is {nearest}")
    return [width // divisor for divisor in divisors]


class ConditionalBatchNorm(nn.Module):
    """Batch normalization whose gain and bias depend on a condition (Dumoulin et al. 2017).

    Args:
        features: Channels.
        gain: Maps a condition to (N, features), to which 1 is added; None for a gain and a bias of its own.
        bias: Likewise, without the 1.
    """

    def __init__(self, features: int, gain: nn.Module | None = None, bias: nn.Module | None = None) -> None:
        super().__init__()
        self.batch = nn.BatchNorm2d(features, affine=gain is None)
        self.gain, self.bias = gain, bias

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Normalize (N, features, H, W)."""
        x = self.batch(x)
        if self.gain is None or self.bias is None:
            return x
        return x * (1 + self.gain(condition))[:, :, None, None] + self.bias(condition)[:, :, None, None]


class UpBlock(nn.Module):
    """A residual block of G that doubles the side.

    Args:
        channels_in: Channels of what comes in.
        channels_out: Channels of what goes out.
        norm: Makes a normalization of so many channels; it is called with the map and the condition.
        wrap: Initializes and normalizes a layer.
    """

    def __init__(self, channels_in: int, channels_out: int, norm: Callable[[int], nn.Module], wrap: Wrap) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm(channels_in), norm(channels_out)
        self.conv1 = wrap(nn.Conv2d(channels_in, channels_out, 3, padding=1))
        self.conv2 = wrap(nn.Conv2d(channels_out, channels_out, 3, padding=1))
        self.shortcut = wrap(nn.Conv2d(channels_in, channels_out, 1))

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """(N, channels_in, H, W) -> (N, channels_out, 2H, 2W)."""
        h = self.conv1(_upsample(F.relu(self.norm1(x, condition))))
        h = self.conv2(F.relu(self.norm2(h, condition)))
        return h + _upsample(self.shortcut(x))  # upsampled last: the same numbers for a quarter of the operations


class DownBlock(nn.Module):
    """A residual block of D without batch normalization; the first one has no ReLU before its first convolution.

    Args:
        channels_in: Channels of what comes in.
        channels_out: Channels of what goes out.
        first: Whether it sees the image.
        halve: Whether it halves the side.
        wrap: Initializes and normalizes a layer.
    """

    def __init__(self, channels_in: int, channels_out: int, *, first: bool, halve: bool, wrap: Wrap) -> None:
        super().__init__()
        self.first, self.halve = first, halve
        self.conv1 = wrap(nn.Conv2d(channels_in, channels_out, 3, padding=1))
        self.conv2 = wrap(nn.Conv2d(channels_out, channels_out, 3, padding=1))
        identity = channels_in == channels_out and not halve
        self.shortcut = nn.Identity() if identity else wrap(nn.Conv2d(channels_in, channels_out, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels_in, H, W) -> (N, channels_out, H, W), or half of H and W."""
        h = self.conv2(F.relu(self.conv1(x if self.first else F.relu(x))))
        if not self.halve:
            return h + self.shortcut(x)
        # Pooling before the shortcut's convolution: the same numbers for a quarter of the operations.
        return F.avg_pool2d(h, 2) + self.shortcut(F.avg_pool2d(x, 2))


class SelfAttention(nn.Module):
    """Self-attention over positions, added to its input with a learned weight that begins at 0 (Zhang et al. 2019).

    Queries and keys have an eighth of the channels, values a half; keys and values are pooled 2x2, as in the authors' code.
    https://arxiv.org/abs/1805.08318

    Args:
        channels: Channels of the map.
        wrap: Initializes and normalizes a layer.
    """

    def __init__(self, channels: int, wrap: Wrap) -> None:
        super().__init__()
        narrow, half = max(1, channels // 8), max(1, channels // 2)
        self.query = wrap(nn.Conv2d(channels, narrow, 1, bias=False))
        self.key = wrap(nn.Conv2d(channels, narrow, 1, bias=False))
        self.value = wrap(nn.Conv2d(channels, half, 1, bias=False))
        self.output = wrap(nn.Conv2d(half, channels, 1, bias=False))
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> the same shape; H and W are even."""
        query = self.query(x).flatten(2)
        key = F.max_pool2d(self.key(x), 2).flatten(2)
        value = F.max_pool2d(self.value(x), 2).flatten(2)
        attention = (query.mT @ key).softmax(dim=2)  # (N, H * W, H * W / 4)
        attended = (value @ attention.mT).unflatten(2, x.shape[2:])
        return x + self.gamma * self.output(attended)


class ResidualDiscriminator(nn.Module):
    """Residual blocks, a sum over the map and a linear layer; class-conditional by projection (Miyato and Koyama 2018).

    Args:
        data: What samples look like; a side of 32 or 64 pixels.
        width: Channels of the widest map.
        attention: Whether there is self-attention after the first block.
        classes: Classes whose embeddings the features are multiplied with; 0 for none.
        wrap: Initializes and normalizes a layer.
    """

    def __init__(self, shape: tuple[int, ...], width: int, attention: bool, classes: int, wrap: Wrap) -> None:
        super().__init__()
        layout = LAYOUTS[shape[1]]
        before, self.blocks = shape[0], nn.Sequential()
        for i, out in enumerate(channels_of(width, layout.discriminator)):
            self.blocks.append(DownBlock(before, out, first=i == 0, halve=i < layout.halvings, wrap=wrap))
            if attention and i == 0:
                self.blocks.append(SelfAttention(out, wrap))
            before = out
        self.head = wrap(nn.Linear(before, 1))
        self.embedding = wrap(nn.Embedding(classes, before)) if classes else None

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """(N, channels, side, side), and labels (N,) where there are classes -> logits (N,)."""
        features = F.relu(self.blocks(x)).sum(dim=(2, 3))
        logits: Tensor = self.head(features).squeeze(1)
        if self.embedding is not None:
            logits = logits + (self.embedding(labels) * features).sum(dim=1)
        return logits


def _upsample(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")
