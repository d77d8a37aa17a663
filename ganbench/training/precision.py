"""The precision that networks train in: that of products alone, or of activations too; weights stay float32.

Losses, penalties and optimizers compute in float32 whatever the precision, and probes and metrics never see a lower one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

_ACTIVATIONS = {"bf16": torch.bfloat16, "float16": torch.float16}


class Precision:
    """How the networks of one game compute while it trains.

    - `"float32"`: in float32.
    - `"tf32"`: products of matrices and convolutions round their factors to 10 bits on a GPU that can; elsewhere as float32.
    - `"bf16"`: layers compute in bfloat16 where torch's autocast says that they may.
    - `"float16"`: likewise in float16, with losses scaled up so that small gradients do not vanish. On a GPU alone.

    Args:
        name: One of these.
        device: Where the game trains.

    Raises:
        ValueError: float16 on a CPU.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        if name == "float16" and device.type != "cuda":
            raise ValueError(why_no_float16(device.type))
        self.name, self._device = name, device
        self.lowers_activations = name in _ACTIVATIONS
        self.lowers_products = name == "tf32" and device.type == "cuda"
        self.scalers: dict[str, torch.amp.GradScaler] = (
            {player: torch.amp.GradScaler(device.type) for player in ("d", "g")} if name == "float16" else {}
        )

    def call(self, network: Any, *inputs: Tensor | None, **more: Tensor) -> Any:
        """Return what a network makes of its inputs in this precision, every tensor of it as float32."""
        if not self.lowers_activations:
            return network(*inputs, **more)
        with torch.autocast(self._device.type, _ACTIVATIONS[self.name]):
            result = network(*inputs, **more)
        return _as_float32(result)

    def products(self) -> AbstractContextManager[None]:
        """Compute products in this precision inside the block."""
        return _tf32() if self.lowers_products else contextlib.nullcontext()

    def backward(self, player: str, loss: Tensor) -> None:
        """Add the gradients of a player's loss, scaled where that is needed."""
        scaler = self.scalers.get(player)
        (loss if scaler is None else scaler.scale(loss)).backward()

    def update(self, player: str, optimizer: torch.optim.Optimizer, weights: list[nn.Parameter], clip: float) -> None:
        """Let a player's optimizer step, its gradients clipped to a norm of `clip` if that is not 0.

        In float16 an update whose gradients are not finite is left out, and the scale lowered.
        """
        scaler = self.scalers.get(player)
        if scaler is not None:
            scaler.unscale_(optimizer)
        if clip:
            torch.nn.utils.clip_grad_norm_(weights, clip)
        if scaler is None:
            optimizer.step()
        else:
            scaler.step(optimizer)
            scaler.update()


def _as_float32(result: Any) -> Any:
    """Whatever a network returned, with tensors of a lower precision as float32."""
    if isinstance(result, Tensor):
        return result.float() if result.is_floating_point() else result
    if isinstance(result, Mapping):
        return {name: _as_float32(part) for name, part in result.items()}
    if isinstance(result, list | tuple):
        return [_as_float32(part) for part in result]
    return result


def why_no_float16(device: str) -> str:
    """Return why float16 cannot be had on a device, and what can."""
    return f"precision = 'float16' needs a CUDA device, and this is trained on {device}; give 'bf16'"


@contextlib.contextmanager
def _tf32() -> Iterator[None]:
    cudnn = torch.backends.cudnn.allow_tf32
    products = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(products)
        torch.backends.cudnn.allow_tf32 = cudnn
