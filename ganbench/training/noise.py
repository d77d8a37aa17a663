"""What a generator makes samples of."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def sample_noise(generator: Any, n: int, stream: torch.Generator) -> Tensor:
    """`n` latents of the generator's prior, (n, latent_dim), on the stream's device.

    The prior is standard normal, or uniform on [-1, 1) where the generator declares `prior = "uniform"`.
    """
    size, prior = (n, generator.latent_dim), getattr(generator, "prior", "normal")
    if prior == "uniform":
        return torch.rand(size, generator=stream, device=stream.device).mul_(2).sub_(1)
    if prior != "normal":
        raise ValueError(f"a generator's prior is 'normal' or 'uniform', not {prior!r}")
    return torch.randn(size, generator=stream, device=stream.device)
