"""Real samples on a device, to draw batches from."""

from __future__ import annotations

import torch
from torch import Tensor

from ..contract.records import Batch, DataSpec


class DeviceDataset:
    """The samples of `batch` on `device`; uint8 samples stay uint8, a quarter of the memory, until they are drawn.

    Their values 0 to 255 span the value range of `spec`. Raises ValueError for samples of any type but float32 and
    uint8, and for uint8 samples if the spec states no range.
    """

    def __init__(self, batch: Batch, spec: DataSpec, device: torch.device) -> None:
        if batch.x.dtype not in (torch.float32, torch.uint8):
            raise ValueError(f"the data set's samples are {batch.x.dtype}; give float32, or uint8 with a value range")
        if batch.x.dtype == torch.uint8 and spec.value_range is None:
            raise ValueError("the data set's samples are uint8, and its spec states no value_range that they span")
        self._x = batch.x.to(device)
        self.labels = None if batch.labels is None else batch.labels.to(device)
        self.device = self._x.device
        self._low, high = spec.value_range or (0.0, 1.0)
        self._unit = (high - self._low) / 255

    def __len__(self) -> int:
        return len(self._x)

    def take(self, rows: Tensor) -> Batch:
        """Return the samples at `rows`, of shape (N, *shape) in float32, with their labels."""
        x = self._x[rows]
        if x.dtype == torch.uint8:
            x = x.float().mul_(self._unit).add_(self._low)
        return Batch(x, None if self.labels is None else self.labels[rows])

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
