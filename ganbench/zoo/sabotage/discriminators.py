"""Discriminators that see too little."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import torch
from torch import nn

import ganbench

Inner = Annotated[Callable[..., Any], ganbench.Part("discriminator")]


def frozen(data: ganbench.DataSpec, *, inner: Inner = "mlp") -> nn.Module:  # type: ignore[assignment]
    """A discriminator that never learns: `inner` as it was built."""
    network: nn.Module = inner(data)
    # One weight goes on learning, since an optimizer wants something to do; it shifts every logit alike.
    return _Shifted(network.requires_grad_(False))


frozen.expected_failures = {  # type: ignore[attr-defined]
    "gradient-penalties-reach-its-weights": "its weights do not learn",
}


class _Shifted(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """(N, *shape) -> logits (N,)."""
        return self.network(x, labels) + self.shift


class Rounding(nn.Module):
    """A discriminator that sees samples rounded to multiples of `grain`; gradients pass as if they were not."""

    def __init__(self, data: ganbench.DataSpec, *, inner: Inner = "mlp", grain: float = 1.0) -> None:  # type: ignore[assignment]
        super().__init__()
        if grain <= 0:
            raise ValueError(f"grain = {grain} must be positive")
        self.network = inner(data)
        self.grain = grain

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """(N, *shape) -> logits (N,)."""
        coarse = (x / self.grain).round() * self.grain
        return self.network(x + (coarse - x).detach(), labels)
