"""Real samples on a device, to draw batches from."""

from __future__ import annotations

import torch
from torch import Tensor

from ..contract.records import Batch, DataSpec


class DeviceDataset:
    """The samples of `batch` on `device`; uint8 samples stay uint8, a quarter of the memory, until they are drawn.

    Their values 0 to 255 span the value range of `spec`, and so do those of uint8 conditions. Raises ValueError for
    samples of any type but float32 and uint8, for uint8 samples if the spec states no range, and for conditions that are
    not what the spec states.

    Attributes:
        labels: Classes of all samples; None if the data has none.
    """

    def __init__(self, batch: Batch, spec: DataSpec, device: torch.device) -> None:
        if batch.x.dtype not in (torch.float32, torch.uint8):
            raise ValueError(f"the data set's samples are {batch.x.dtype}; give float32, or uint8 with a value range")
        if batch.x.dtype == torch.uint8 and spec.value_range is None:
            raise ValueError("the data set's samples are uint8, and its spec states no value_range that they span")
        check_condition(batch, spec)
        self._x = batch.x.to(device)
        self.labels = None if batch.labels is None else batch.labels.to(device)
        self._condition = None if batch.condition is None else batch.condition.to(device)
        self.device = self._x.device
        self._low, high = spec.value_range or (0.0, 1.0)
        self._unit = (high - self._low) / 255

    def __len__(self) -> int:
        return len(self._x)

    @property
    def is_conditional(self) -> bool:
        """Whether samples have labels or conditions, under which others can be generated."""
        return self.labels is not None or self._condition is not None

    def take(self, rows: Tensor) -> Batch:
        """Return the samples at `rows`, of shape (N, *shape) in float32, with their labels and conditions."""
        x = self._scaled(self._x[rows])
        labels = None if self.labels is None else self.labels[rows]
        return Batch(x, labels, None if self._condition is None else self._scaled(self._condition[rows]))

    def _scaled(self, values: Tensor) -> Tensor:
        """Values of type uint8 in the value range of the data; others as they are."""
        return values.float().mul_(self._unit).add_(self._low) if values.dtype == torch.uint8 else values

    def std(self) -> float:
        """Return the standard deviation of all values."""
        if self._x.dtype != torch.uint8:
            return float(self._x.std())
        share = torch.zeros(256, dtype=torch.float64, device=self.device)
        for part in self._x.split(4096):  # counting takes 8 bytes a value, so not all at once
            share += part.flatten().int().bincount(minlength=256)
        share /= share.sum()
        value = torch.arange(256, dtype=torch.float64, device=self.device)
        mean = (share * value).sum()
        return float((share * (value - mean).square()).sum().sqrt()) * self._unit


def check_condition(batch: Batch, spec: DataSpec) -> None:
    """Raise ValueError unless a batch has the conditions that the spec states, one for each sample."""
    condition = batch.condition
    if condition is None and spec.condition is None:
        return
    if spec.condition is None:
        raise ValueError("it has conditions, and its spec states none: give DataSpec(..., condition=shape)")
    if condition is None:
        raise ValueError(f"its spec states conditions of shape {spec.condition}, and it has none")
    if tuple(condition.shape) != (len(batch), *spec.condition):
        raise ValueError(
            f"its conditions are {tuple(condition.shape)} for {len(batch)} samples, and its spec states "
            f"{spec.condition} for each"
        )
    if condition.dtype not in (torch.float32, torch.uint8, torch.int64):
        raise ValueError(f"its conditions are {condition.dtype}; give float32, int64, or uint8 as of samples")
    if condition.dtype == torch.uint8 and spec.value_range is None:
        raise ValueError("its conditions are uint8, and its spec states no value_range that they span")


def samples_of(spec: DataSpec, n: int, seed: int = 0) -> Batch:
    """Return `n` random samples of the shape and range of a data spec, with labels and conditions if it has any."""
    stream = torch.Generator().manual_seed(seed)
    x = torch.randn(n, *spec.shape, generator=stream)
    if spec.value_range is not None:
        low, high = spec.value_range
        x = low + (high - low) * torch.sigmoid(x)
    labels = torch.randint(spec.classes, (n,), generator=stream) if spec.classes else None
    condition = None if spec.condition is None else torch.randn(n, *spec.condition, generator=stream)
    return Batch(x, labels, condition)
