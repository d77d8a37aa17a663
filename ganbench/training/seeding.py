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
    """Deterministic algorithms and a thread count for a trial; torch's global settings as before when it is over."""
    threads_before, dtype_before, device_before = (
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.get_default_device(),
    )
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is reproducible only with it
        torch.use_deterministic_algorithms(True, warn_only=True)
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        with undisturbed(device):
            yield
    finally:
        torch.set_num_threads(threads_before)
        torch.set_default_dtype(dtype_before)
        if torch.get_default_device() != device_before:
            torch.set_default_device(device_before)
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)


@contextmanager
def undisturbed(device: torch.device) -> Iterator[None]:
    """Whatever is drawn inside, torch's global random streams go on as if nothing had been."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield
