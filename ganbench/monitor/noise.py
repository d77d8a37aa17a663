"""Which prior a loop draws its latents from, told from those that were seen.

Which calls of D were given what G made: by memory, by value, or by what was made of it.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from .call_convention import CallConvention, Unlike
from .schedule import Rows

Prior = Literal["normal", "uniform", "unit"]
FEWEST = 64  # values that a prior can be told from
SIGMAS = 5.0  # by which a moment may miss what is expected of it


def prior_of(column: Tensor) -> Prior | None:
    """Standard normal, uniform on [-1, 1) or on [0, 1), by the moments of the values; None for anything else.

    None as well for rows that come twice (a codebook), and rows of one length (a sphere): of those nothing new
    can be drawn value by value.
    """
    if not column.is_floating_point():
        return None
    values = column.detach().double().flatten(1) if column.ndim > 1 else column.detach().double()[:, None]
    m = values.numel()
    if m < FEWEST or not bool(values.isfinite().all()) or len(values.unique(dim=0)) < len(values):
        return None
    low, high, mean, std = (float(v) for v in (values.min(), values.max(), values.mean(), values.std()))
    ranges: tuple[tuple[Prior, float, float], ...] = (("uniform", -1.0, 1.0), ("unit", 0.0, 1.0))
    for name, start, end in ranges:
        width = end - start
        spread = width / math.sqrt(12)
        near = abs(mean - (start + end) / 2) < SIGMAS * spread / math.sqrt(m)
        if start <= low and high <= end and near and abs(std / spread - 1) < SIGMAS / math.sqrt(m):
            return name
    kurtosis = float((values - mean).pow(4).mean()) / max(std, 1e-12) ** 4
    normal = (
        abs(mean) < SIGMAS / math.sqrt(m)
        and abs(std - 1) < SIGMAS / math.sqrt(2 * m)
        and abs(kurtosis - 3) < SIGMAS * math.sqrt(24 / m)
    )
    return "normal" if normal and not _on_a_sphere(values) else None


def draw_noise(prior: Prior, like: Tensor, n: int, stream: torch.Generator) -> Tensor:
    """`n` rows shaped as those of `like`, of its type and on its device."""
    size = (n, *like.shape[1:])
    if prior == "normal":
        drawn = torch.randn(size, generator=stream, device=stream.device)
    else:
        drawn = torch.rand(size, generator=stream, device=stream.device)
    return (2 * drawn - 1 if prior == "uniform" else drawn).to(like.device, like.dtype)


def _on_a_sphere(values: Tensor) -> bool:
    """Whether lengths vary far less than those of normal vectors, whose squares have the variance 2d."""
    n, d = values.shape
    return n > 1 and d > 1 and float(values.square().sum(1).var()) < 0.1 * 2 * d


TOLD_FROM = 1024  # rows that a prior is told from


class Inputs:
    """The arguments of G that have a row for each sample, and with them D's conditions for the same samples."""

    def __init__(self) -> None:
        self._rows = Rows()
        self._places: tuple[int, ...] = ()
        self._priors: list[Prior | None] = []

    def learn(self, lesson: CallConvention) -> None:
        """Take in what a lesson shows. Raises Unlike where D's conditions cannot be matched with G's samples."""
        for columns in lesson.made:
            self._rows.add(columns)
        self._places = lesson.conventions.made.batched
        if self._places and not len(self._rows):
            raise Unlike("it cannot be told which condition the discriminator is given with which generated sample")
        self._priors = [prior_of(column[-TOLD_FROM:]) for column in self._rows.columns[: len(self._places)]]

    def draw(self, n: int, stream: torch.Generator) -> tuple[dict[int, Tensor], Tensor]:
        """Arguments for `n` samples by their places in a call, and the rows that those are from that were seen."""
        rows = torch.randint(max(len(self._rows), 1), (n,), generator=stream, device=stream.device)
        put = {}
        for place, column, prior in zip(self._places, self._rows.columns, self._priors, strict=False):
            put[place] = column[rows.to(column.device)] if prior is None else draw_noise(prior, column, n, stream)
        return put, rows

    @property
    def conditions(self) -> list[Tensor]:
        """D's conditions, by row."""
        return self._rows.columns[len(self._places) :]
