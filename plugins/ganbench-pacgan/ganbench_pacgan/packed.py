"""Packing: a discriminator that judges several samples of one origin at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import torch
from torch import nn

import ganbench


class Packed(nn.Module):
    """Any discriminator made to judge `degree` samples at once (PacGAN, Lin et al. 2018)."""

    def __init__(
        self,
        data: ganbench.DataSpec,
        *,
        discriminator: Annotated[Callable[..., nn.Module], ganbench.Part("discriminator")] = "mlp",
        degree: int = 2,
    ) -> None:
        """`discriminator` is built for samples with `degree` times the channels (points: dimensions) of the data.

        It sees no labels: a pack has not one but `degree` of them. Raises ValueError for a degree below 1.
        """
        super().__init__()
        if degree < 1:
            raise ValueError(f"degree = {degree} must be at least 1; 1 does not pack")
        packs = replace(data, shape=(degree * data.shape[0], *data.shape[1:]), classes=0, modes=0)
        self.inner = discriminator(packs)
        self.degree = degree
        self.pack = degree * getattr(self.inner, "pack", 1)  # what is packed may itself pack

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Why the trial's batches are not made of whole packs."""
        asked = trial.components.discriminator
        degree = asked.options.get("degree", 2)
        if asked.name != "packed" or degree < 1 or trial.training.batch_size % degree == 0:
            return None
        return _no_whole_packs(trial.training.batch_size, degree, "batch_size = ")

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """(N, channels, ...) -> logits (N / pack,): consecutive samples are one pack, stacked along the channels.

        Raises ValueError where N is no multiple of `pack`. Labels are not looked at.
        """
        if len(x) % self.pack:
            raise ValueError(_no_whole_packs(len(x), self.pack))
        return self.inner(x.unflatten(0, (-1, self.degree)).flatten(1, 2), None)


def _no_whole_packs(n: int, degree: int, what: str = "") -> str:
    below = n - n % degree
    nearest = f"{below} or {below + degree}" if below else f"{degree}"
    return f"{what}{n} samples do not divide into packs of {degree}; {nearest} would"
