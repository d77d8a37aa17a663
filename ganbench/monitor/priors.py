"""Which prior a loop draws its latents from, told from those that were seen."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

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


def draw(prior: Prior, like: Tensor, n: int, stream: torch.Generator) -> Tensor:
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
