"""Samples of a generator to judge it by."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .. import latents

CHUNK = 1000  # samples generated at once


@torch.no_grad()
def generate(generator: Any, n: int, seed: int, labels: Tensor | None, device: torch.device) -> Tensor:
    """`n` samples from latents that are the same at every call, (n, *shape), float32 on the CPU.

    `labels` are those of the training data, to draw from in the same shares, where the data has any.
    """
    stream = torch.Generator().manual_seed(seed)  # on the CPU, so that every device judges from the same latents
    z = latents.draw(generator, n, stream).to(device)
    wanted = None
    if labels is not None:
        wanted = labels[torch.randint(len(labels), (n,), generator=stream).to(labels.device)].to(device)
    chunks = [
        generator(z[i : i + CHUNK], None if wanted is None else wanted[i : i + CHUNK]).float().cpu()
        for i in range(0, n, CHUNK)
    ]
    return torch.cat(chunks)
