"""Residual networks small enough for the zoo's runs on pictures (blocks as of ResNet GANs, Gulrajani et al. 2017)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ganbench


def _skip(trial: ganbench.Trial) -> str | None:
    shape = trial.data.shape
    if trial.data.kind == "images" and len(shape) == 3 and shape[1] == shape[2] and shape[1] % 4 == 0:
        return None
    return f"it takes square images whose side is a multiple of 4, and {trial.dataset} is {trial.data.kind} of {shape}"


class SmallResidualGenerator(nn.Module):
    """Two residual blocks that double the side, with batch normalization."""

    skip = staticmethod(_skip)

    def __init__(self, data: ganbench.DataSpec, *, latent_dim: int = 64, width: int = 16) -> None:
        super().__init__()
        channels, side, _ = data.shape
        self.latent_dim = latent_dim
        self.value_range = data.value_range
        self.stem = nn.Sequential(
            nn.Linear(latent_dim, width * (side // 4) ** 2), nn.Unflatten(1, (width, side // 4, side // 4))
        )
        self.blocks = nn.Sequential(_Up(width), _Up(width))
        self.head = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, channels, 3, padding=1))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, latent_dim) -> (N, *shape), in the range of the data. Labels are ignored."""
        x: Tensor = self.head(self.blocks(self.stem(z)))
        if self.value_range is None:
            return x
        low, high = self.value_range
        return low + (high - low) * x.sigmoid()


class SmallResidualDiscriminator(nn.Module):
    """Three residual blocks, of which two halve the side, and the sum over what is left."""

    skip = staticmethod(_skip)

    def __init__(self, data: ganbench.DataSpec, *, width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Conv2d(data.shape[0], width, 3, stride=2, padding=1)
        self.blocks = nn.Sequential(_Down(width), _Down(width, halves=False))
        self.head = nn.Linear(width, 1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, *shape) -> logits (N,). Labels are ignored."""
        features = F.leaky_relu(self.blocks(self.stem(x)), 0.2).mean(dim=(2, 3))
        logits: Tensor = self.head(features)
        return logits.squeeze(1)


class _Up(nn.Module):
    """A residual block that doubles the side."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU())
        self.between = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1))
        self.first = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) -> (N, width, 2H, 2W)."""
        larger = F.interpolate(torch.stack([x, self.before(x)]).flatten(0, 1), scale_factor=2.0, mode="nearest")
        shortcut, changed = larger.chunk(2)
        out: Tensor = shortcut + self.between(self.first(changed))
        return out


class _Down(nn.Module):
    """A residual block that may halve the side."""

    def __init__(self, width: int, halves: bool = True) -> None:
        super().__init__()
        self.net = nn.Sequential(
            *(nn.LeakyReLU(0.2), nn.Conv2d(width, width, 3, padding=1)),
            *(nn.LeakyReLU(0.2), nn.Conv2d(width, width, 3, padding=1)),
        )
        self.halves = halves

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) -> (N, width, H / 2, W / 2), or the same shape."""
        out: Tensor = x + self.net(x)
        return F.avg_pool2d(out, 2) if self.halves else out
