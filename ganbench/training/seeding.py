"""One base seed, named sub-seeds; and the global state that a trial may use and must leave as it was."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def seed_for(base: int, purpose: str) -> int:
    """The seed for one purpose ("generator", "data order", ...): unrelated between purposes, the same every time."""
    digest = hashlib.sha256(f"{base}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1  # torch takes 63 bits everywhere


def plant(seed: int) -> None:
    """Seed every global random stream: torch's, and those of Python and numpy, which a component might draw from."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)


# What a trial finds, whatever a plugin or an earlier trial has set: how it is read, how it is set, what it is.
_SETTINGS: tuple[tuple[Callable[[], Any], Callable[[Any], Any], Any], ...] = (
    (torch.get_default_dtype, torch.set_default_dtype, torch.float32),
    (torch.get_default_device, torch.set_default_device, torch.device("cpu")),
    (torch.is_grad_enabled, torch._C._set_grad_enabled, True),
    (torch.is_anomaly_enabled, torch.set_anomaly_enabled, False),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "highest"),
)


@contextmanager
def isolated(device: torch.device, threads: int | None = None) -> Iterator[None]:
    """Known settings, deterministic algorithms and a thread count for a trial; all as before when it is over."""
    before = [read() for read, _, _ in _SETTINGS]
    threads_before = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    _set(standard for _, _, standard in _SETTINGS)
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
        _set(before)
        if torch.are_deterministic_algorithms_enabled() != deterministic:  # it imports a compiler: seconds
            torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)


def _set(values: Iterable[Any]) -> None:
    for (read, put, _), value in zip(_SETTINGS, values, strict=True):
        if read() != value:  # setting a default device costs every later call, even where it is the usual one
            put(value)


@contextmanager
def undisturbed(device: torch.device) -> Iterator[None]:
    """Whatever is drawn inside, the global random streams go on as if nothing had been."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
