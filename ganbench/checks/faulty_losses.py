"""A plugin file: losses that break, for executors to survive."""

from __future__ import annotations

import os
from collections.abc import Iterator

from torch import Tensor
from torch.nn.functional import softplus

import ganbench

CALLS = 5  # of D's loss that go well


class _Faulty:
    """The non-saturating loss, until it has been asked a few times."""

    def __init__(self) -> None:
        self.calls = 0

    def discriminator(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        self.calls += 1
        if self.calls > CALLS:
            self.fail()
        return softplus(-d(real)).mean() + softplus(d(fake)).mean()

    def generator(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        return softplus(-d(fake)).mean()

    def fail(self) -> None:
        raise NotImplementedError


class Raises(_Faulty):
    """Raises an error in the middle of training."""

    def fail(self) -> None:
        raise RuntimeError("broke on purpose")


class Dies(_Faulty):
    """Ends its process in the middle of training, as a crash in native code does."""

    def fail(self) -> None:
        os._exit(3)


@ganbench.hookimpl
def ganbench_losses() -> Iterator[ganbench.Component]:
    yield ganbench.Component("raises-on-purpose", Raises)
    yield ganbench.Component("dies-on-purpose", Dies)
