"""What every built-in network shares: normalization and classes as options, and outputs in the range of the data."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import nn

import ganbench

from .spectral import spectral_norm

Normalization = Literal["none", "batch", "layer", "spectral"]
Auxiliary = Literal["none", "classes", "embedding"]


def normalize(layer: nn.Module, features: int, normalization: Normalization) -> list[nn.Module]:
    """Return a layer followed by, or wrapped in, its normalization.

    Spectral normalization follows Miyato et al. (2018), with one power iteration a forward pass.

    Args:
        layer: A linear or convolutional layer.
        features: Its outputs or output channels.
        normalization: The kind of normalization; `"layer"` of images is over all channels and pixels.
    """
    if normalization == "spectral":
        return [spectral_norm(layer)]
    if normalization == "batch":
        batch_norm = nn.BatchNorm1d if isinstance(layer, nn.Linear) else nn.BatchNorm2d
        return [layer, batch_norm(features)]
    if normalization == "layer":
        # For images, group normalization with one group.
        return [layer, nn.LayerNorm(features) if isinstance(layer, nn.Linear) else nn.GroupNorm(1, features)]
    return [layer]


def without_batch_statistics(normalization: Normalization) -> Normalization:
    """Return the normalization of a discriminator's first or last layer: spectral or none."""
    return "spectral" if normalization == "spectral" else "none"


def to_range(x: torch.Tensor, value_range: tuple[float, float] | None) -> torch.Tensor:
    """Return `x` squashed by tanh into the data's range, or as it is if the data has none."""
    if value_range is None:
        return x
    low, high = value_range
    return low + (high - low) * (torch.tanh(x) + 1) / 2


def linear_to_range(x: torch.Tensor, value_range: tuple[float, float] | None, clip: bool) -> torch.Tensor:
    """Return `x` with [-1, 1] mapped to the data's range, and clipped to it if `clip`; as it is if the data has none."""
    if value_range is None:
        return x
    low, high = value_range
    x = low + (high - low) * (x + 1) / 2
    return x.clamp(low, high) if clip else x


def from_range(x: torch.Tensor, value_range: tuple[float, float] | None) -> torch.Tensor:
    """Return `x` with the data's range mapped to [-1, 1], or as it is if the data has none."""
    if value_range is None:
        return x
    low, high = value_range
    return (x - low) * (2 / (high - low)) - 1


class ClassOutputs(nn.Module):
    """What a discriminator says of a sample's class, beside its logit, for losses that learn classes.

    Args:
        features: Length of the features that its last layer reads.
        classes: How many classes the data has.
        auxiliary: `"classes"` for `classes`, logits (N, classes); `"embedding"` for `embedding`, (N, dim), and `proxy`, the
            learned embedding of each sample's class, (N, dim).
        dim: Length of an embedding.
    """

    def __init__(self, features: int, classes: int, auxiliary: Auxiliary, dim: int = 64) -> None:
        super().__init__()
        if not classes:
            raise ValueError(f"auxiliary = {auxiliary!r} needs data with classes, and this has none")
        self.auxiliary = auxiliary
        self.last = nn.Linear(features, classes if auxiliary == "classes" else dim)
        self.proxies = nn.Embedding(classes, dim) if auxiliary == "embedding" else None

    def forward(self, features: torch.Tensor, labels: torch.Tensor | None) -> dict[str, torch.Tensor]:
        """Map features (N, features) and labels (N,) to what is said of the classes; no `proxy` without labels."""
        if self.proxies is None:
            return {"classes": self.last(features)}
        given = {} if labels is None else {"proxy": self.proxies(labels)}
        return {"embedding": self.last(features), **given}


def append_labels(z: torch.Tensor, labels: torch.Tensor | None, classes: int) -> torch.Tensor:
    """Return noise (N, latent_dim) with labels as 0 and 1 behind it, (N, latent_dim + classes); as it is if 0 `classes`."""
    if not classes:
        return z
    if labels is None:
        raise ValueError("a generator with conditional = true needs labels, and is given none")
    return torch.cat([z, F.one_hot(labels, classes).to(z.dtype)], dim=1)


def classes_of(data: ganbench.DataSpec, conditional: bool) -> int:
    """Return how many classes a generator is told; 0 unless it is conditional. Raise ValueError if the data has none."""
    if conditional and not data.classes:
        raise ValueError("conditional = true needs data with classes, and this has none")
    return data.classes if conditional else 0


def why_no_classes(trial: ganbench.Trial, network: Literal["generator", "discriminator"], name: str) -> str | None:
    """Return why a network cannot have the classes that its options ask for in this trial, or None."""
    ref: Any = getattr(trial.components, network)
    option, plain = ("conditional", False) if network == "generator" else ("auxiliary", "none")
    asked = ref.options.get(option, plain) if ref.name == name else plain
    if asked == plain or trial.data.classes:
        return None
    return f"its option {option} needs classes, and {trial.dataset} has none"
