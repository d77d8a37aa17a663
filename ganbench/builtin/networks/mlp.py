"""Multilayer perceptrons, for data of any shape."""

from __future__ import annotations

import itertools
import math
from typing import Annotated

import msgspec
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


class MLPGenerator(nn.Module):
    """Multilayer perceptron with ReLU, for data of any shape; its last activation is tanh if the data has a range.

    Args:
        data: What samples look like.
        latent_dim: Length of a noise vector.
        width: Units of a hidden layer.
        depth: Hidden layers.
        normalization: Of the hidden layers.
        components: Gaussians whose mixture the latents are drawn from, their means and widths learned with the network
            (DeLiGAN, Gurumurthy et al. 2017, https://arxiv.org/abs/1706.02071): apart from each other, they can reach
            modes that are apart. 0 for a single normal distribution, as usual. With them a noise vector is one longer.
        component_width: Standard deviation that all these Gaussians have and keep, before the layers; 0 for one that each of
            them learns, from 0.2. Where modes are narrow and alike, some Gaussians that learn theirs grow wide instead, and
            lie over several modes and all that is between.
        conditional: Whether it is told the class that a sample should be of, beside the noise.
    """

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the network cannot serve a trial, or None."""
        return why_no_classes(trial, "generator", "mlp")

    def __init__(
        self,
        data: ganbench.DataSpec,
        *,
        latent_dim: int = 16,
        width: int = 128,
        depth: int = 2,
        normalization: Normalization = "none",
        components: int = 0,
        component_width: Annotated[float, msgspec.Meta(ge=0)] = 0.0,
        conditional: bool = False,
    ) -> None:
        super().__init__()
        self.classes = classes_of(data, conditional)
        self.latent_dim = latent_dim + 1 if components else latent_dim
        self.mixture = LatentMixture(components, latent_dim, component_width) if components else nn.Identity()
        self.shape = data.shape
        layers: list[nn.Module] = []
        sizes = [latent_dim + self.classes] + [width] * depth
        for fan_in, fan_out in itertools.pairwise(sizes):
            layers += [*normalize(nn.Linear(fan_in, fan_out), fan_out, normalization), nn.ReLU()]
        self.net = nn.Sequential(*layers, nn.Linear(sizes[-1], math.prod(data.shape)))
        self.value_range = data.value_range

    @property
    def last_layer(self) -> nn.Module:
        """The layer that adaptive weights are measured at."""
        return self.net[-1]

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Map noise (N, latent_dim) to samples (N, *shape); labels are ignored unless it is conditional."""
        z = append_labels(self.mixture(z), labels, self.classes)
        return to_range(self.net(z).unflatten(1, self.shape), self.value_range)


class LatentMixture(nn.Module):
    """Latents of a mixture of Gaussians with learned means and widths (DeLiGAN), from standard normal noise.

    Args:
        components: How many Gaussians, equally likely.
        dim: Length of a latent.
        width: Standard deviation that all of them keep; 0 for one that each of them learns.
    """

    widths: torch.Tensor

    def __init__(self, components: int, dim: int, width: float = 0.0) -> None:
        super().__init__()
        self.means = nn.Parameter(torch.empty(components, dim).uniform_(-1, 1))
        if width:
            self.register_buffer("widths", torch.full((1, dim), width))
        else:
            self.widths = nn.Parameter(torch.full((components, dim), 0.2))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Map noise (N, 1 + dim) to latents (N, dim); its first number picks the component."""
        share = torch.special.ndtr(z[:, 0])  # uniform on [0, 1]
        picked = (share * len(self.means)).long().clamp(max=len(self.means) - 1)
        widths = self.widths if len(self.widths) == 1 else self.widths[picked]
        return self.means[picked] + widths * z[:, 1:]


class MLPDiscriminator(nn.Module):
    """Multilayer perceptron with leaky ReLU, for data of any shape.

    Args:
        data: What samples look like.
        width: Units of a hidden layer.
        depth: Hidden layers.
        normalization: Of the hidden layers; spectral normalization is of the last layer too.
        fourier: Random frequencies whose sine and cosine the network sees beside the samples, so that it can learn what is
            narrow (Tancik et al. 2020, https://arxiv.org/abs/2006.10739); 0 for none.
        frequency: Standard deviation of these frequencies, in cycles a unit of the data; of several, each is that of as many
            frequencies, so that what is narrow and what is wide can both be learned.
        auxiliary: What it says of a sample's class beside the logit: `"classes"` for the loss `ac`, `"embedding"` for `2c`
            and `d2d-ce`.
    """

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the network cannot serve a trial, or None."""
        return why_no_classes(trial, "discriminator", "mlp")

    def __init__(
        self,
        data: ganbench.DataSpec,
        *,
        width: int = 128,
        depth: int = 2,
        normalization: Normalization = "none",
        fourier: int = 0,
        frequency: float | list[float] = 1.0,
        auxiliary: Auxiliary = "none",
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = math.prod(data.shape)
        self.features = FourierFeatures(inputs, fourier, frequency) if fourier else nn.Identity()
        sizes = [inputs + 2 * fourier] + [width] * depth
        for fan_in, fan_out in itertools.pairwise(sizes):
            layers += [*normalize(nn.Linear(fan_in, fan_out), fan_out, normalization), nn.LeakyReLU(0.2)]
        last = normalize(nn.Linear(sizes[-1], 1), 1, without_batch_statistics(normalization))
        self.net = nn.Sequential(*layers, *last)
        self.of_class = None if auxiliary == "none" else ClassOutputs(sizes[-1], data.classes, auxiliary)

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor | dict[str, torch.Tensor]:
        """Map samples (N, *shape) to logits (N,), with what `auxiliary` names; labels are ignored but for that."""
        x = self.features(x.flatten(1))
        if self.of_class is None:
            return self.net(x).squeeze(1)
        hidden = self.net[:-1](x)
        return {"logits": self.net[-1](hidden).squeeze(1), **self.of_class(hidden, labels)}


class FourierFeatures(nn.Module):
    """Samples beside the sines and cosines of random projections of them (Tancik et al. 2020).

    Args:
        inputs: Length of a sample.
        count: How many projections.
        frequency: Standard deviation of their frequencies, in cycles a unit; several take turns.
    """

    frequencies: torch.Tensor

    def __init__(self, inputs: int, count: int, frequency: float | list[float]) -> None:
        super().__init__()
        widths = [frequency] if isinstance(frequency, int | float) else frequency
        if not widths or count % len(widths):
            raise ValueError(f"frequency = {frequency} gives no equal shares of fourier = {count}")
        turns = [2 * math.pi * width for width in widths] * (count // len(widths))
        self.register_buffer("frequencies", torch.tensor(turns) * torch.randn(inputs, count))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map samples (N, inputs) to features (N, inputs + 2 * count)."""
        angles = x @ self.frequencies
        return torch.cat([x, angles.sin(), angles.cos()], dim=1)
