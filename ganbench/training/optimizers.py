"""The optimizer of a player, whose learning rates follow a decay, and in a fork a factor."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
    """Build an optimizer over `weights`. Raises ValueError for anything that is no `torch.optim.Optimizer`."""
    optimizer = build("optimizer", ref, list(weights))
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ValueError(f"optimizer {ref.name!r} builds {type(optimizer).__name__}, which is no torch.optim.Optimizer")
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


def clear_gradients(optimizer: torch.optim.Optimizer) -> None:
    """Forget all gradients of an optimizer's weights, as its `zero_grad()` does."""
    if getattr(optimizer.zero_grad, "__func__", None) is not torch.optim.Optimizer.zero_grad:
        optimizer.zero_grad()
        return
    for group in optimizer.param_groups:  # without torch's note for profilers, which takes five times as long
        for weight in group["params"]:
            weight.grad = None


def is_recordable(optimizer: torch.optim.Optimizer) -> bool:
    """Return whether an optimizer's step is operations on the device alone, the same ones at a constant learning rate.

    torch's own are looked at, once they have made a step: those that keep all averages and counts on the device.
    """
    if type(optimizer) not in (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD) or _has_hooks(optimizer):
        return False
    if type(optimizer) is not torch.optim.SGD and not all(group.get("fused") for group in optimizer.param_groups):
        return False  # its counts are on the host, or its arithmetic is another one where it is captured
    if any(isinstance(value, torch.Tensor) for group in optimizer.param_groups for value in _options(group)):
        return False
    held = [(weight, value) for weight, state in optimizer.state.items() for value in state.values()]
    return all(
        isinstance(value, torch.Tensor) and value.device == weight.device for weight, value in held if value is not None
    )


@contextmanager
def allow_recording(optimizers: Sequence[torch.optim.Optimizer]) -> Iterator[None]:
    """Let optimizers step while their operations are recorded, which torch refuses those that do not say they may.

    What a fused one computes is the same.
    """
    groups = [group for optimizer in optimizers for group in optimizer.param_groups if "capturable" in group]
    before = [group["capturable"] for group in groups]
    for group in groups:
        group["capturable"] = True
    try:
        yield
    finally:
        for group, value in zip(groups, before, strict=True):
            group["capturable"] = value


def _has_hooks(optimizer: Any) -> bool:
    from torch.optim import optimizer as of_all

    own = optimizer._optimizer_step_pre_hooks, optimizer._optimizer_step_post_hooks
    return any((*own, of_all._global_optimizer_pre_hooks, of_all._global_optimizer_post_hooks))


def _options(group: dict[str, Any]) -> list[Any]:
    return [value for name, value in group.items() if name != "params"]
