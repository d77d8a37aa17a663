"""Features of samples, each computed once and shared by all metrics, and what is derived from those of the reference."""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable

import torch
from torch import Tensor

from ..contract.components import Features
from ..contract.errors import CannotScore
from ..contract.records import Batch

BATCH_SAMPLES = 256  # samples embedded at once

Tensors = tuple[Tensor, ...]


class SampleSet:
    """Samples that are compared, with everything that has been computed of them, for all metrics.

    Args:
        samples: Of shape (N, *shape), float32, on the CPU.
        device: Where features are computed, and stay.
        batch: The same with what belongs to them; None where nothing is known of that.
    """

    def __init__(self, samples: Tensor, device: torch.device, batch: Batch | None = None) -> None:
        self.samples, self.device, self.batch = samples, device, batch
        self._embedded: dict[tuple[int, str], tuple[Features, Tensor, float]] = {}
        self._derived: dict[tuple[int, str], tuple[Features | None, Tensors]] = {}

    def __len__(self) -> int:
        return len(self.samples)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the samples: type, shape and content."""
        content = hashlib.sha256(f"{self.samples.dtype} {tuple(self.samples.shape)}".encode())
        for part in self.samples.split(1024):
            content.update(part.contiguous().numpy().tobytes())
        return content.hexdigest()

    def embed(self, features: Features, tap: str = "") -> Tensor:
        """Return features (N, dim), float32. Raises CannotScore if the component returns anything else."""
        key = id(features), tap
        if key not in self._embedded:
            began = time.perf_counter()
            rows = self.keep(features, f"features {tap}", lambda: (compute_features(self, features, tap),))[0]
            self._embedded[key] = features, rows, time.perf_counter() - began
        return self._embedded[key][1]

    def embedding_seconds(self, features: Features, tap: str = "") -> float:
        """Return the seconds that computing these features took."""
        return self._embedded[id(features), tap][2]

    def derive(self, features: Features | None, name: str, compute: Callable[[], Tensors]) -> Tensors:
        """Return `compute()`, computed once for these features and this name."""
        key = id(features), name
        if key not in self._derived:
            self._derived[key] = features, self.keep(features, name, compute)
        return self._derived[key][1]

    def keep(self, features: Features | None, name: str, compute: Callable[[], Tensors]) -> Tensors:
        """Return `compute()`; what outlives this process overrides it."""
        return compute()


@torch.no_grad()
def compute_features(part: SampleSet, features: Features, tap: str) -> Tensor:
    """Return features of a set, by batches on its device: (N, dim), float32.

    Raises CannotScore, which names what is wrong, if the component returns anything else.
    """
    if not len(part):
        raise CannotScore("there are no samples to compute features of")
    rows = torch.cat([features(batch.to(part.device), tap) for batch in part.samples.split(BATCH_SAMPLES)])
    dim = (features.taps[tap] if tap else features.dim) or rows.shape[-1]
    if rows.shape != (len(part), dim) or rows.dtype != torch.float32:
        got = f"{tuple(rows.shape)} of {rows.dtype}".replace("torch.", "")
        raise CannotScore(f"{type(features).__name__} returns {got}, and {(len(part), dim)} of float32 is expected")
    return rows
