"""Probabilities from logits that mean something only up to a shift."""

from __future__ import annotations

import torch


def around_midpoint(real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Sigmoids about the middle between the two means: 1/2 each where D cannot tell, as the textbook has it."""
    middle = (real.mean() + fake.mean()) / 2
    return torch.sigmoid(real - middle), torch.sigmoid(fake - middle)
