"""The noise that a generator maps to samples."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


def sample_noise(generator: Any, n: int, random: torch.Generator) -> Tensor:
    """Draw noise of the generator's prior for `n` samples, on the device of `random`.

    Its shape is (n, latent_dim), or (n, *latent_dim) where that is a shape; (n, 0), which draws nothing, for a generator
    without noise. The prior is standard normal, or uniform on [-1, 1) if the generator declares `prior = "uniform"`.
    Raises ValueError for any other.
    """
    latent, prior = generator.latent_dim, getattr(generator, "prior", "normal")
    size = (n, *latent) if isinstance(latent, tuple | list) else (n, latent)
    if prior == "uniform":
        return torch.rand(size, generator=random, device=random.device).mul_(2).sub_(1)
    if prior != "normal":
        raise ValueError(f"a generator's prior is 'normal' or 'uniform', not {prior!r}")
    return torch.randn(size, generator=random, device=random.device)


def has_noise(generator: Any) -> bool:
    """Return whether a generator takes noise at all."""
    latent = generator.latent_dim
    return bool(math.prod(latent) if isinstance(latent, tuple | list) else latent)
