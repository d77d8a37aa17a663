"""A plugin file: losses that break or dawdle, for executors to live with."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator

from torch import Tensor
from torch.nn.functional import softplus

import ganbench

CALLS = 5  # of D's loss that go well


class _NonSaturating(ABC):
    """The non-saturating loss, which something else happens before."""

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
        """What happens before each update of D."""


class Raises(_NonSaturating):
    """Raises an error in the middle of training."""

    def before(self) -> None:
        if self.calls > CALLS:
            raise RuntimeError("broke on purpose")


class Dies(_NonSaturating):
    """Ends its process in the middle of training, as a crash in native code does."""

    def before(self) -> None:
        if self.calls > CALLS:
            os._exit(3)


class Slow(_NonSaturating):
    """Goes well, and sleeps `nap` seconds at each update of D."""

    def __init__(self, *, nap: float) -> None:
        super().__init__()
        self.nap = nap

    def before(self) -> None:
        time.sleep(self.nap)


@ganbench.hookimpl
def ganbench_losses() -> Iterator[ganbench.Component]:
    yield ganbench.Component("raises-on-purpose", Raises)
    yield ganbench.Component("dies-on-purpose", Dies)
    yield ganbench.Component("slow-on-purpose", Slow)
