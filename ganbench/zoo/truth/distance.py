"""How far generated samples are from real ones."""

from __future__ import annotations

import torch
from torch import Tensor

COMPARED = 1000  # samples of each kind


def energy_distance(some: Tensor, others: Tensor) -> float:
    """Energy distance (Székely and Rizzo 2013), unbiased, of the first 1,000 of each; infinite for non-finite ones."""
    x, y = (part[:COMPARED].flatten(1).double() for part in (some, others))
    if not (torch.isfinite(x).all() and torch.isfinite(y).all()):
        return float("inf")
    within = sum(torch.cdist(part, part).sum() / (len(part) * (len(part) - 1)) for part in (x, y))
    return float(2 * torch.cdist(x, y).mean() - within)
