"""The optimizer of a player, whose learning rates follow a decay, and in a fork a factor."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from ..contract.records import ComponentRef
from ..registry.registry import load_registry

Build = Callable[..., Any]  # a kind, a reference and what such a component is given: the component, as `Registry.build`


def build_from_installed(kind: str, ref: ComponentRef, *given: Any) -> Any:
    """Build a component of the installed plugins."""
    return load_registry().build(kind, ref, *given)


def build_optimizer(build: Build, ref: ComponentRef, weights: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    """Build an optimizer over `weights`. Raises TypeError for anything that is no `torch.optim.Optimizer`."""
    optimizer = build("optimizer", ref, list(weights))
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"optimizer {ref.name!r} builds {type(optimizer).__name__}, which is no torch.optim.Optimizer")
    return optimizer


def learning_rates(optimizer: torch.optim.Optimizer) -> list[float | None]:
    """Return the learning rate of each group as it is now; None of a group without one."""
    return [group.get("lr") for group in optimizer.param_groups]


def set_learning_rates(optimizer: torch.optim.Optimizer, rates: Sequence[float | None], factor: float) -> None:
    """Set each group's learning rate to `factor` times its rate in `rates`."""
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        if rate is not None:
            group["lr"] = rate * factor


def decay_factor(decay: str, progress: float) -> float:
    """Return the factor on the learning rate at `progress` (0 to 1) of the budget."""
    if decay == "linear":
        return 1 - progress
    if decay == "cosine":
        return (1 + math.cos(math.pi * progress)) / 2
    return 1.0
