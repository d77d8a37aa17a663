"""Packing: a discriminator that sees several samples, all real or all generated, at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import torch
from torch import nn

import ganbench


class Packed(nn.Module):
    """Any discriminator, applied to `degree` samples at once (PacGAN, Lin et al. 2018)."""

    def __init__(
        self,
        data: ganbench.DataSpec,
        *,
        discriminator: Annotated[Callable[..., nn.Module], ganbench.Part("discriminator")] = "mlp",
        degree: int = 2,
    ) -> None:
        """Build the packed discriminator.

        Args:
            data: What single samples look like.
            discriminator: The discriminator to pack, built for samples with `degree` times the channels (points:
                dimensions) of the data. It gets no labels: a pack has not one but `degree` of them.
            degree: Samples in a pack.

        Raises:
            ValueError: If `degree` is below 1.
        """
        super().__init__()
        if degree < 1:
            raise ValueError(f"degree = {degree} must be at least 1; 1 does not pack")
        packs = replace(data, shape=(degree * data.shape[0], *data.shape[1:]), classes=0, modes=0)
        self.inner = discriminator(packs)
        self.degree = degree
        self.pack = degree * getattr(self.inner, "pack", 1)  # the inner one may itself be packed

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the batches of this trial do not divide into packs, or None if they do."""
        asked = trial.components.discriminator
        degree = asked.options.get("degree", 2)
        if asked.name != "packed" or degree < 1 or trial.training.batch_size % degree == 0:
            return None
        return _indivisible(trial.training.batch_size, degree, "batch_size = ")

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Map (N, channels, ...) to logits (N / pack,): consecutive samples form a pack, stacked along the channels.

        Labels are ignored. Raises ValueError if N is no multiple of `pack`.
        """
        if len(x) % self.pack:
            raise ValueError(_indivisible(len(x), self.pack))
        return self.inner(x.unflatten(0, (-1, self.degree)).flatten(1, 2), None)


def _indivisible(n: int, degree: int, what: str = "") -> str:
    below = n - n % degree
    nearest = f"{below} or {below + degree}" if below else f"{degree}"
    return f"{what}{n} samples do not divide into packs of {degree}; {nearest} would"
