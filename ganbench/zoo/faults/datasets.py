"""Data sets whose training part is not what they are evaluated on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Annotated, Any

import torch

import ganbench

Inner = Annotated[Callable[..., Any], ganbench.Part("dataset")]


class _Part(ganbench.Dataset, ABC):
    """Training on a part of `inner`, whose held-out samples and modes stay."""

    def __init__(self, inner: ganbench.Dataset) -> None:
        self._inner = inner
        self.spec: ganbench.DataSpec = inner.spec
        self.modes = inner.modes

    def training(self) -> ganbench.Batch:
        """Return the part that is trained on."""
        batch = self._inner.training()
        return batch[self.shown(batch)]

    def held_out(self) -> ganbench.Batch:
        """Return everything that the inner data set holds out."""
        return self._inner.held_out()

    @abstractmethod
    def shown(self, batch: ganbench.Batch) -> torch.Tensor:
        """The rows to train on."""


class Few(_Part):
    """The first `n` training samples of another data set, for D to memorize."""

    def __init__(self, *, inner: Inner = "ring", n: int = 64) -> None:  # type: ignore[assignment]
        if n < 1:
            raise ValueError(f"n = {n} must be at least 1")
        super().__init__(inner())
        self.n = n

    def shown(self, batch: ganbench.Batch) -> torch.Tensor:
        """The first `n`."""
        return torch.arange(min(self.n, len(batch.x)))


class Half(_Part):
    """Half of another data set's modes to train on, evaluated on all of them."""

    expected_failures = {
        "both-parts-are-alike": "its training part is half of what it holds out",
        "modes-are-where-it-claims": "half of the modes are not in its training part",
    }

    def __init__(self, *, inner: Inner = "ring") -> None:  # type: ignore[assignment]
        super().__init__(inner())

    def shown(self, batch: ganbench.Batch) -> torch.Tensor:
        """Classes below the middle one; without labels, points left of their median and images darker than it."""
        if batch.labels is not None:
            return torch.nonzero(batch.labels < self.spec.classes // 2).flatten()
        measure = batch.x[:, 0] if self.spec.kind == "points" else batch.x.flatten(1).mean(dim=1)
        return torch.nonzero(measure < measure.median()).flatten()


class Without(_Part):
    """Another labelled data set with its last classes left out of training, evaluated on all of them."""

    def __init__(self, *, inner: Inner = "digits", missing: int = 1) -> None:  # type: ignore[assignment]
        super().__init__(inner())
        if not self.spec.classes:
            raise ValueError("inner must be a data set with labels")
        if not 0 <= missing < self.spec.classes:
            raise ValueError(f"missing = {missing} must be from 0 to {self.spec.classes - 1}, or no class is left")
        self.missing = missing

    def shown(self, batch: ganbench.Batch) -> torch.Tensor:
        """All rows but those of the last classes."""
        assert batch.labels is not None  # __init__ refuses a data set without
        return torch.nonzero(batch.labels < self.spec.classes - self.missing).flatten()


class Unbalanced(_Part):
    """Another data set with `rare` of a hundred left of every second mode or class in training."""

    def __init__(self, *, inner: Inner = "ring", rare: int = 1) -> None:  # type: ignore[assignment]
        if not 0 <= rare <= 100:
            raise ValueError(f"rare = {rare} must be from 0 to 100")
        super().__init__(inner())
        if self.modes is None and not self.spec.classes:
            raise ValueError("inner must be a data set with known modes or with labels")
        self.rare = rare

    def shown(self, batch: ganbench.Batch) -> torch.Tensor:
        """All rows of even modes or classes, and the first of each hundred of the odd ones."""
        kind = batch.labels
        if kind is None:
            assert self.modes is not None  # __init__ refuses a data set with neither
            kind = torch.cdist(batch.x, self.modes.centres).argmin(dim=1)
        place = torch.arange(len(kind)) % 100
        return torch.nonzero((kind % 2 == 0) | (place < self.rare)).flatten()
