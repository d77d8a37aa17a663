"""A plugin file: losses that fail or are slow, for checking executors."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator

from torch import Tensor
from torch.nn.functional import softplus

import ganbench

GOOD_CALLS = 5  # of D's loss, before it fails


class _NonSaturating(ganbench.Loss, ABC):
    """The non-saturating loss, with an action before each update of D."""

    def __init__(self) -> None:
        self.calls = 0

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        self.calls += 1
        self.before()
        return softplus(-d(real)).mean() + softplus(d(fake)).mean()

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        return softplus(-d(fake)).mean()

    @abstractmethod
    def before(self) -> None:
        """Act before an update of D."""


class Raises(_NonSaturating):
    """Raises an error in the middle of training."""

    def before(self) -> None:
        if self.calls > GOOD_CALLS:
            raise RuntimeError("raised on purpose")


class Dies(_NonSaturating):
    """Ends its process in the middle of training, as a crash in native code does."""

    def before(self) -> None:
        if self.calls > GOOD_CALLS:
            os._exit(3)


class Slow(_NonSaturating):
    """Works, and sleeps so many `seconds` at each update of D."""

    def __init__(self, *, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def before(self) -> None:
        time.sleep(self.seconds)


@ganbench.hookimpl
def ganbench_losses() -> Iterator[ganbench.Component]:
    yield ganbench.Component("raises-on-purpose", Raises)
    yield ganbench.Component("dies-on-purpose", Dies)
    yield ganbench.Component("slow-on-purpose", Slow)
