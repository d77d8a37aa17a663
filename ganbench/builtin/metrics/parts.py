"""What metrics on features ask of the samples before they compute anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor

import ganbench

BLOCK_ROWS = 1024  # that are held in float64 at once
MAX_PAIRED = 10_000  # samples of each part, of which all pairs are compared in seconds
FeaturesOption = Annotated[Callable[..., ganbench.Features], ganbench.Part("features")]


def require(samples: ganbench.Samples, n: int) -> None:
    """Raise CannotScore if there are fewer than `n` generated samples."""
    if len(samples.fake) < n:
        raise ganbench.CannotScore(f"it needs at least {n} generated samples, and there are {len(samples.fake)}")


def shuffle(rows: Tensor) -> Tensor:
    """Return rows (N, dim) in a random order that does not depend on the order that they come in."""
    by_content = rows[rows.mean(dim=1).argsort(stable=True)]
    return by_content[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0)).to(rows.device)]


def mean_of(rows: Tensor) -> Tensor:
    """Return the mean (dim,) of rows (N, dim), in float64, without a copy of them in it."""
    total = torch.zeros(rows.shape[1], dtype=torch.float64, device=rows.device)
    for part in rows.split(BLOCK_ROWS):
        total += part.double().sum(dim=0)
    return total / len(rows)


def all_finite(rows: Tensor) -> bool:
    """Whether all numbers are finite: seen from their sum, which costs a twentieth of looking at each."""
    return bool(rows.sum().isfinite()) or bool(rows.isfinite().all())  # a sum of finite ones may overflow


def finite_rows(rows: Tensor) -> Tensor:
    """Which rows (N, dim) hold only finite numbers, (N,)."""
    return (
        torch.ones(len(rows), dtype=torch.bool, device=rows.device) if all_finite(rows) else rows.isfinite().all(dim=1)
    )


def embed_finite(samples: ganbench.Samples, part: str, features: ganbench.Features | None, n: int = 2) -> Tensor:
    """Return features of real samples (N, dim), float32. Raise CannotScore if they are fewer than `n`, or not finite."""
    rows = samples.embed(part, features)  # type: ignore[arg-type]
    if len(rows) < n:
        raise ganbench.CannotScore(f"it needs at least {n} {part} samples, and there are {len(rows)}")
    if not all_finite(rows):
        bad = int((~finite_rows(rows)).sum())
        raise ganbench.CannotScore(f"{bad} of {len(rows)} {part} samples have features that are not finite")
    return rows
