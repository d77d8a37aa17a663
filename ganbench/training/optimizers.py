"""The optimizers that a suite may name, and the decay of their learning rates."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from ..contract.records import ComponentRef

_CLASSES: dict[str, Any] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
}
_FUSED = {"adam", "adamw", "sgd"}  # one kernel for all weights: most of a small network's step is overhead


def build_optimizer(ref: ComponentRef, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Build an optimizer over `weights`."""
    options = dict(ref.options) | ({"fused": True} if ref.name in _FUSED else {})
    if "betas" in options:
        options["betas"] = tuple(options["betas"])
    optimizer: torch.optim.Optimizer = _CLASSES[ref.name](list(weights), **options)
    return optimizer


def decay_factor(decay: str, progress: float) -> float:
    """Return the factor on the learning rate at `progress` (0 to 1) of the budget."""
    if decay == "linear":
        return 1 - progress
    if decay == "cosine":
        return (1 + math.cos(math.pi * progress)) / 2
    return 1.0
