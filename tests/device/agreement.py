"""How far a few training steps on a device are from the same steps on the CPU: same weights, same random numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from device.shipped import build
from torch import Tensor
from torch.overrides import TorchFunctionMode

import ganbench

STEPS = 5
SGD = ganbench.ComponentRef("sgd", {"lr": 1e-2})  # linear in the gradient: Adam makes steps of what is rounding alone
LOSS_TOLERANCE, WEIGHT_TOLERANCE = 1e-4, 1e-3  # relative; of the weights, of how far they have moved


def differences(trial: ganbench.Trial, device: str) -> dict[str, float]:
    """Relative differences after `STEPS` steps in float32: of the losses, and of how far the weights have moved."""
    trial = replace(trial, training=replace(trial.training, optimizer_g=SGD, optimizer_d=SGD))
    with full_precision():
        losses_here, before, after_here = _train(trial, "cpu")
        losses_there, _, after_there = _train(trial, device)
    moved_here, moved_there = (
        torch.cat([(after[name] - before[name]).flatten().double() for name in before])
        for after in (after_here, after_there)
    )
    return {"losses": _relative(losses_there, losses_here), "weights": _relative(moved_there, moved_here)}


def _train(trial: ganbench.Trial, device: str) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    with DrawsOnCpu():
        gan = build(trial, device).gan
        before = _learnable(gan)
        torch.manual_seed(1)
        gan.warm_up()
        losses = [loss for _ in range(STEPS) for loss in gan.step()]
    return torch.stack(losses).cpu().double(), before, _learnable(gan)


def _learnable(gan: Any) -> dict[str, Tensor]:
    parts = {"generator": gan.generator, "discriminator": gan.discriminator}
    return {f"{part}.{n}": w.detach().cpu().clone() for part, net in parts.items() for n, w in net.named_parameters()}


def _relative(value: Tensor, reference: Tensor) -> float:
    return float((value - reference).norm() / reference.norm().clamp_min(1e-12))


@contextmanager
def full_precision() -> Iterator[None]:
    """No TF32, no benchmarking of algorithms, deterministic ones: what the CPU's numbers can be compared with."""
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)


class DrawsOnCpu(TorchFunctionMode):
    """Lets torch draw every random number on the CPU and move it: a device draws what the CPU would."""

    LIKE = {torch.rand_like: torch.rand, torch.randn_like: torch.randn}
    PLAIN = {torch.rand, torch.randn, torch.randint, torch.randperm}

    def __init__(self) -> None:
        super().__init__()
        self._streams: dict[int, tuple[torch.Generator, torch.Generator]] = {}  # a device's, and the CPU's beside it

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in self.LIKE:
            like = args[0]
            return self.LIKE[func](like.shape, dtype=like.dtype).to(like.device)
        if func not in self.PLAIN:
            return func(*args, **kwargs)
        device, generator = kwargs.pop("device", None), kwargs.pop("generator", None)
        if generator is not None:
            kwargs["generator"] = self._on_cpu(generator)
        drawn = func(*args, **kwargs)
        return drawn if device is None else drawn.to(device)

    def _on_cpu(self, generator: torch.Generator) -> torch.Generator:
        if generator.device.type == "cpu":
            return generator
        if id(generator) not in self._streams:
            self._streams[id(generator)] = generator, torch.Generator().manual_seed(generator.initial_seed())
        return self._streams[id(generator)][1]
