"""Losses that teach D the wrong thing, or add to its value; and a penalty that asks for the wrong thing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import torch

import ganbench

Inner = Annotated[Callable[..., Any], ganbench.Part("loss")]


class Flipped(ganbench.Loss):
    """A loss whose D is told the opposite for `share` of each batch."""

    expected_failures = {"trains-d-to-separate": "it is there to mislead D"}

    def __init__(self, *, inner: Inner = "non-saturating", share: float = 0.5) -> None:  # type: ignore[assignment]
        if not 0 <= share <= 1:
            raise ValueError(f"share = {share} must be from 0 to 1")
        self.inner = inner()
        self.per_head = self.inner.per_head
        self.share = share

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """The inner loss with the first samples of both batches swapped: batches come in random order."""
        n = round(self.share * len(real.x))
        return self.inner.discriminator(d, _first_of(fake, real, n), _first_of(real, fake, n))

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """The inner loss."""
        loss: torch.Tensor = self.inner.generator(d, real, fake)
        return loss


class Blind(ganbench.Loss):
    """A loss whose D is never shown what G makes: another real sample stands in its place."""

    expected_failures = {"trains-d-to-separate": "its D never sees a generated sample"}

    def __init__(self, *, inner: Inner = "non-saturating") -> None:  # type: ignore[assignment]
        self.inner = inner()

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """The inner loss of real samples against the same ones in another order."""
        others = ganbench.Batch(real.x.roll(1, 0), None if real.labels is None else real.labels.roll(1, 0))
        loss: torch.Tensor = self.inner.discriminator(d, real, others)
        return loss

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """The inner loss."""
        loss: torch.Tensor = self.inner.generator(d, real, fake)
        return loss


class WithClassTerm(ganbench.Loss):
    """A loss with a constant beside it, as a class term has it: values that mislead whoever reads them alone.

    D's loss carries `weight` nats more, as much as a classifier of exp(`weight`) classes that knows nothing.
    """

    def __init__(self, *, inner: Inner = "non-saturating", weight: float = 2.3) -> None:  # type: ignore[assignment]
        self.inner = inner()
        self.per_head = self.inner.per_head
        self.weight = weight

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """The inner loss and the term."""
        return self.inner.discriminator(d, real, fake) + self.weight

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """The inner loss and the term."""
        return self.inner.generator(d, real, fake) + self.weight


def _first_of(some: ganbench.Batch, rest: ganbench.Batch, n: int) -> ganbench.Batch:
    def join(first: torch.Tensor | None, then: torch.Tensor | None) -> torch.Tensor | None:
        return None if first is None or then is None else torch.cat([first[:n], then[n:]])

    x = torch.cat([some.x[:n], rest.x[n:]])
    return ganbench.Batch(x, join(some.labels, rest.labels), join(some.condition, rest.condition))


class Variance(ganbench.Regularizer):
    """The variance of the generated samples, held against G: it draws them together."""

    player = "generator"

    def __init__(self, *, weight: float = 1.0) -> None:
        if weight < 0:
            raise ValueError(f"weight = {weight} must not be negative")
        self.weight = weight

    def penalty(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """weight * variance of G(z) over the batch, mean over dimensions, in units of the real batch's."""
        made, data = (batch.x.var(dim=0, unbiased=False).mean() for batch in (fake, real))
        return self.weight * made / data.clamp_min(1e-6)
