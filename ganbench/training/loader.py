"""Training batches from a data set's own loader, for data that does not fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch

from ..contract.adapt import provides
from ..contract.components import Dataset
from ..contract.records import Batch, DataSpec, Trial
from .data import DeviceDataset
from .seeding import seed_for


class BatchStream:
    """The batches of a loader, one after the other, without end: the loader is iterated again at its end.

    A smaller batch at the loader's end is left out. One that can be gone through once, as a generator, is made anew.

    Args:
        name: What the data set is called, for errors.
        make: Makes the loader anew, in the same order each time.
        spec: What samples look like.
        batch_size: Samples in a batch.
        device: Where batches go.

    Raises:
        ValueError: The loader gives no batch, or something else.
    """

    def __init__(
        self, name: str, make: Callable[[], Iterable[Batch]], spec: DataSpec, batch_size: int, device: torch.device
    ) -> None:
        self._name, self._make, self._spec, self._size, self._device = name, make, spec, batch_size, device
        self._batches: Iterator[Batch]
        self._begin()

    def draw(self) -> Batch:
        """Return the next batch on the device, in float32."""
        batch = self._next()
        try:
            data = DeviceDataset(batch, self._spec, self._device)
        except ValueError as error:
            raise self._error(f"yields what its spec does not state: {error}") from error
        return data.take(torch.arange(len(data), device=self._device))

    def state_dict(self) -> dict[str, Any]:
        """Return how many batches were drawn, and the loader's own state where it has one."""
        loader: Any = self._loader
        return {"drawn": self._drawn, "own": loader.state_dict() if _is_stateful(loader) else None}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to another place: by the loader's own state, or else by drawing as many batches again."""
        if state["own"] is not None and _is_stateful(self._loader):
            self._begin()
            loader: Any = self._loader
            loader.load_state_dict(state["own"])
            self._batches, self._drawn = iter(self._loader), state["drawn"]
            return
        if state["drawn"] < self._drawn:
            self._begin()
        while self._drawn < state["drawn"]:
            self._next()

    def _begin(self) -> None:
        self._loader = self._make()
        try:
            self._batches = iter(self._loader)
        except TypeError:
            raise self._error(f"gives {type(self._loader).__name__}, which cannot be iterated") from None
        self._drawn = 0

    def _next(self) -> Batch:
        for _ in range(2):  # what is left of it, and from its beginning
            smaller = 0
            for batch in self._batches:
                self._check(batch)
                if smaller:
                    raise self._error(
                        f"yields batches of {smaller} samples before its end, and {self._size} are asked for"
                    )
                if len(batch) == self._size:
                    self._drawn += 1
                    return batch
                smaller = len(batch)
            if self._batches is self._loader:  # a generator, which can be gone through once
                self._loader = self._make()
            self._batches = iter(self._loader)
        raise self._error(f"ends without a batch of {self._size} samples")

    def _check(self, batch: Any) -> None:
        if not isinstance(batch, Batch):
            raise self._error(f"yields {type(batch).__name__}, not ganbench.Batch")
        if tuple(batch.x.shape[1:]) != self._spec.shape or not 0 < len(batch) <= self._size:
            expected = (self._size, *self._spec.shape)
            raise self._error(f"yields samples {tuple(batch.x.shape)}, and {expected} is expected")
        if (batch.labels is None) != (self._spec.classes == 0):
            found = "without labels" if batch.labels is None else "with labels"
            raise self._error(f"yields samples {found}, and its spec states {self._spec.classes} classes")

    def _error(self, what: str) -> ValueError:
        return ValueError(f"data set {self._name!r}: its training_loader {what}")


def _is_stateful(loader: Any) -> bool:
    return hasattr(loader, "state_dict") and hasattr(loader, "load_state_dict")


def stream_of(dataset: Dataset, trial: Trial, device: torch.device) -> Callable[[int], BatchStream] | None:
    """Return what makes the stream of training batches, where the data set has a loader."""
    if not provides(dataset, "training_loader"):
        return None
    name, seed = trial.components.dataset.name, seed_for(trial.seed, "data order")

    def stream(batch_size: int) -> BatchStream:
        return BatchStream(name, lambda: dataset.training_loader(batch_size, seed), trial.data, batch_size, device)

    return stream
