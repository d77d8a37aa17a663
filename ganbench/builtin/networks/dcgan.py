"""Convolutional networks of the DCGAN family (Radford et al. 2016), for square images of 8 to 64 pixels.

The generator starts from a small map and doubles its side up to the image's; the discriminator halves it down again.
"""

from __future__ import annotations

import torch
from torch import nn

import ganbench

from .layers import (
    Auxiliary,
    ClassOutputs,
    Normalization,
    append_labels,
    classes_of,
    normalize,
    to_range,
    why_no_classes,
    without_batch_statistics,
)

MIN_SIDE, MAX_SIDE = 8, 64  # pixels of an image
MAX_BASE = 7  # pixels of the smallest map; at least 4 then


class ConvGenerator(nn.Module):
    """DCGAN generator for square images of 8 to 64 pixels, grey or colour.

    Args:
        data: What samples look like.
        latent_dim: Length of a noise vector.
        width: Channels before the last doubling; those of smaller maps are doubled accordingly.
        normalization: Of every layer but the last.
        conditional: Whether it is told the class that an image should be of, beside the noise.
    """

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the network cannot serve a trial, or None."""
        return _unfit(trial) or why_no_classes(trial, "generator", "conv")

    def __init__(
        self,
        data: ganbench.DataSpec,
        *,
        latent_dim: int = 64,
        width: int = 64,
        normalization: Normalization = "batch",
        conditional: bool = False,
    ) -> None:
        super().__init__()
        size = base_and_doublings(data)
        if size is None:
            raise ValueError(f"no convolutional generator for samples of shape {data.shape}")
        base, doublings = size
        self.latent_dim = latent_dim
        self.classes = classes_of(data, conditional)
        self.value_range = data.value_range
        channels = width * 2 ** (doublings - 1)  # halved each time the side doubles
        self.stem = nn.Sequential(
            nn.Linear(latent_dim + self.classes, channels * base * base), nn.Unflatten(1, (channels, base, base))
        )
        layers: list[nn.Module] = [*_normalize_stem(channels, normalization), nn.ReLU()]
        for _ in range(doublings):
            up = nn.ConvTranspose2d(channels, channels // 2, 4, stride=2, padding=1)
            layers += [*normalize(up, channels // 2, normalization), nn.ReLU()]
            channels //= 2
        self.net = nn.Sequential(*layers, nn.Conv2d(channels, data.shape[0], 3, padding=1))

    @property
    def last_layer(self) -> nn.Module:
        """The layer that adaptive weights are measured at."""
        return self.net[-1]

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Map noise (N, latent_dim) to images (N, channels, side, side); labels are ignored unless it is conditional."""
        return to_range(self.net(self.stem(append_labels(z, labels, self.classes))), self.value_range)


class ConvDiscriminator(nn.Module):
    """DCGAN discriminator for square images of 8 to 64 pixels, grey or colour.

    Args:
        data: What samples look like.
        width: Channels after the first halving; those of smaller maps are doubled accordingly.
        normalization: Of the halving layers; spectral normalization is of every layer.
        auxiliary: What it says of an image's class beside the logit: `"classes"` for the loss `ac`, `"embedding"` for `2c`
            and `d2d-ce`.
    """

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the network cannot serve a trial, or None."""
        return _unfit(trial) or why_no_classes(trial, "discriminator", "conv")

    def __init__(
        self,
        data: ganbench.DataSpec,
        *,
        width: int = 64,
        normalization: Normalization = "none",
        auxiliary: Auxiliary = "none",
    ) -> None:
        super().__init__()
        size = base_and_doublings(data)
        if size is None:
            raise ValueError(f"no convolutional discriminator for samples of shape {data.shape}")
        base, halvings = size
        at_ends = without_batch_statistics(normalization)
        channels = width // 2
        layers: list[nn.Module] = [
            *normalize(nn.Conv2d(data.shape[0], channels, 3, padding=1), channels, at_ends),
            nn.LeakyReLU(0.2),
        ]
        for _ in range(halvings):
            down = nn.Conv2d(channels, channels * 2, 4, stride=2, padding=1)
            layers += [*normalize(down, channels * 2, normalization), nn.LeakyReLU(0.2)]
            channels *= 2
        features = channels * base * base
        last = normalize(nn.Linear(features, 1), 1, at_ends)
        self.net = nn.Sequential(*layers, nn.Flatten(), *last)
        self.of_class = None if auxiliary == "none" else ClassOutputs(features, data.classes, auxiliary)

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor | dict[str, torch.Tensor]:
        """Map images (N, channels, side, side) to logits (N,), with what `auxiliary` names; else labels are ignored."""
        if self.of_class is None:
            return self.net(x).squeeze(1)
        hidden = self.net[:-1](x)
        return {"logits": self.net[-1](hidden).squeeze(1), **self.of_class(hidden, labels)}


def base_and_doublings(data: ganbench.DataSpec) -> tuple[int, int] | None:
    """Return (base, k) such that images have the side base * 2**k, base from 4 to 7; None if there are none."""
    if data.kind != "images" or len(data.shape) != 3:
        return None
    _, height, width = data.shape
    if height != width or not MIN_SIDE <= height <= MAX_SIDE:
        return None
    base, k = height, 0
    while base > MAX_BASE:
        if base % 2:
            return None
        base, k = base // 2, k + 1
    return base, k


def _unfit(trial: ganbench.Trial) -> str | None:
    if trial.data.kind != "images":
        return f"a convolutional network needs images, and {trial.dataset} is {trial.data.kind}"
    if base_and_doublings(trial.data) is None:
        return (
            f"a convolutional network needs square images with a side of 4 to 7 doubled up to 64, "
            f"and {trial.dataset} has the shape {trial.data.shape}"
        )
    return None


def _normalize_stem(channels: int, normalization: Normalization) -> list[nn.Module]:
    """Return the normalization of the stem's maps, which is not beside its linear layer; none if spectral."""
    if normalization == "spectral":
        return []
    return normalize(nn.Identity(), channels, normalization)[1:]
