"""One base seed, named sub-seeds; and the global state that a trial may use and must leave as it was."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def seed_for(base: int, purpose: str) -> int:
    """The seed for one purpose ("generator", "data order", ...): unrelated between purposes, the same every time."""
    digest = hashlib.sha256(f"{base}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1  # torch takes 63 bits everywhere


@contextmanager
def isolated(device: torch.device, threads: int | None = None) -> Iterator[None]:
    """Deterministic algorithms and a thread count for a trial; all global torch state as before when it is over."""
    before = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    devices = [device] if device.type == "cuda" else []
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is reproducible only with it
        torch.use_deterministic_algorithms(True, warn_only=True)
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        torch.set_num_threads(before)
        torch.use_deterministic_algorithms(deterministic)
