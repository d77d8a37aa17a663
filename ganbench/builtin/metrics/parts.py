"""What metrics on features ask of the samples before they compute anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor

import ganbench

FeaturesOption = Annotated[Callable[..., ganbench.Features], ganbench.Part("features")]


def require(samples: ganbench.Samples, n: int) -> None:
    """Raise CannotScore if there are fewer than `n` generated samples."""
    if len(samples.fake) < n:
        raise ganbench.CannotScore(f"it needs at least {n} generated samples, and there are {len(samples.fake)}")


def shuffle(rows: Tensor) -> Tensor:
    """Return rows (N, dim) in a random order that does not depend on the order that they come in."""
    by_content = rows[rows.mean(dim=1).argsort(stable=True)]
    return by_content[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0)).to(rows.device)]


def embed_finite(samples: ganbench.Samples, part: str, features: ganbench.Features | None, n: int = 2) -> Tensor:
    """Return features of real samples (N, dim), float32. Raise CannotScore if they are fewer than `n`, or not finite."""
    rows = samples.embed(part, features)  # type: ignore[arg-type]
    if len(rows) < n:
        raise ganbench.CannotScore(f"it needs at least {n} {part} samples, and there are {len(rows)}")
    if not rows.isfinite().all():
        bad = int((~rows.isfinite().all(dim=1)).sum())
        raise ganbench.CannotScore(f"{bad} of {len(rows)} {part} samples have features that are not finite")
    return rows
