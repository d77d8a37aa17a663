"""The smallest ganbench plugin: one loss."""

from collections.abc import Iterator

import torch

import ganbench


class SoftplusMargin:
    """Logistic loss in which D wants real samples ahead by a margin."""

    def __init__(self, *, margin: float = 1.0) -> None:
        self.margin = margin

    def discriminator(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """E softplus(margin - (d(x) - d(G(z)))), over pairs."""
        return torch.nn.functional.softplus(self.margin - d(real) + d(fake)).mean()

    def generator(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """E softplus(d(x) - d(G(z))), over pairs."""
        return torch.nn.functional.softplus(d(real) - d(fake)).mean()


@ganbench.hookimpl
def ganbench_losses() -> Iterator[ganbench.Component]:
    yield ganbench.Component("softplus-margin", SoftplusMargin)
