"""Generators that start or stay in a bad place, and discriminators that see too little."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import torch
from torch import nn

import ganbench

InnerGenerator = Annotated[Callable[..., Any], ganbench.Part("generator")]
InnerDiscriminator = Annotated[Callable[..., Any], ganbench.Part("discriminator")]


class Codebook(nn.Module):
    """A generator that knows only `size` latents: each is replaced by the nearest of a fixed few."""

    expected_failures = {"can-be-frozen": "its latents are looked up: no gradient comes back to them"}

    def __init__(self, data: ganbench.DataSpec, *, inner: InnerGenerator = "mlp", size: int = 16) -> None:  # type: ignore[assignment]
        super().__init__()
        if size < 1:
            raise ValueError(f"size = {size} must be at least 1")
        self.network = inner(data)
        self.latent_dim = self.network.latent_dim
        self.codes: torch.Tensor
        self.register_buffer("codes", torch.randn(size, self.latent_dim))

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """(N, latent_dim) -> (N, *shape)."""
        return self.network(self.codes[torch.cdist(z, self.codes).argmin(dim=1)], labels)


class Displaced(nn.Module):
    """A generator of points that starts `by` away from the origin along the first axis."""

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Why the data has no room for it."""
        return None if trial.data.kind == "points" else f"points are displaced, not {trial.data.kind}"

    def __init__(self, data: ganbench.DataSpec, *, inner: InnerGenerator = "mlp", by: float = 6.0) -> None:  # type: ignore[assignment]
        super().__init__()
        self.network = inner(data)
        self.latent_dim = self.network.latent_dim
        offset = torch.zeros(data.shape)
        offset.view(-1)[0] = by
        self.register_buffer("offset", offset)

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """(N, latent_dim) -> (N, *shape)."""
        return self.network(z, labels) + self.offset


def frozen(data: ganbench.DataSpec, *, inner: InnerDiscriminator = "mlp") -> nn.Module:  # type: ignore[assignment]
    """A discriminator that never learns: `inner` as it was built."""
    network: nn.Module = inner(data)
    # One weight is trained, since an optimizer needs one; it shifts every logit alike.
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

    def __init__(self, data: ganbench.DataSpec, *, inner: InnerDiscriminator = "mlp", grain: float = 1.0) -> None:  # type: ignore[assignment]
        super().__init__()
        if grain <= 0:
            raise ValueError(f"grain = {grain} must be positive")
        self.network = inner(data)
        self.grain = grain

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """(N, *shape) -> logits (N,)."""
        coarse = (x / self.grain).round() * self.grain
        return self.network(x + (coarse - x).detach(), labels)
