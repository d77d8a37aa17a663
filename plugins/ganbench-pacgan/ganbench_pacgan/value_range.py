"""What a generator's last layer says, in the range of the data."""

from __future__ import annotations

import torch


def squashed(x: torch.Tensor, value_range: tuple[float, float] | None) -> torch.Tensor:
    """`x` through tanh into the range; as it is where there is none."""
    if value_range is None:
        return x
    low, high = value_range
    return low + (high - low) * (torch.tanh(x) + 1) / 2
