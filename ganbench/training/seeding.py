"""One base seed, named sub-seeds; and the global state that a trial may use and must leave as it was."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def seed_for(base: int, purpose: str) -> int:
    """The seed for one purpose ("generator", "data order", ...): unrelated between purposes, the same every time."""
    digest = hashlib.sha256(f"{base}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1  # torch takes 63 bits everywhere


def seed_everything(seed: int) -> None:
    """Seed every global random stream: torch's, and those of Python and numpy, which a component might draw from."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)


# What a trial finds, whatever a plugin or an earlier trial has set: how it is read, how it is set, what it is.
SETTINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any], Any]] = {
    "torch's default dtype": (torch.get_default_dtype, torch.set_default_dtype, torch.float32),
    "torch's default device": (torch.get_default_device, lambda device: _set_device(device), torch.device("cpu")),
    "torch's gradient mode": (torch.is_grad_enabled, torch._C._set_grad_enabled, True),
    "torch's anomaly mode": (torch.is_anomaly_enabled, torch.set_anomaly_enabled, False),
    "torch's matmul precision": (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "highest"),
    "torch's deterministic mode": (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode, 0),
}
_WARN = 1  # deterministic algorithms where there are any, and a warning where there are none


@contextmanager
def deterministic(device: torch.device, threads: int | None = None) -> Iterator[None]:
    """Known settings, deterministic algorithms and a thread count for a trial; all as before when it is over."""
    before = [read() for read, _, _ in SETTINGS.values()]
    threads_before = torch.get_num_threads()
    _set([standard for _, _, standard in SETTINGS.values()])
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is reproducible only with it
        torch.set_deterministic_debug_mode(_WARN)
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        with preserve_rng_state(device):
            yield
    finally:
        torch.set_num_threads(threads_before)
        _set(before)


def _set(values: Sequence[Any]) -> None:
    for (read, put, _), value in zip(SETTINGS.values(), values, strict=True):
        if read() != value:  # some cost seconds to set, others every later call, even to what they are
            put(value)


def _set_device(device: torch.device) -> None:
    torch.set_default_device(None if device == torch.device("cpu") else device)  # None: no check at each call


@contextmanager
def preserve_rng_state(device: torch.device) -> Iterator[None]:
    """Whatever is drawn inside, the global random streams go on as if nothing had been."""
    streams = rng_state(device)
    try:
        yield
    finally:
        restore_rng_state(streams, device)


def rng_state(device: torch.device) -> list[Any]:
    """The states of the global random streams of torch, here and on `device`, of Python and of numpy."""
    states = [random.getstate(), np.random.get_state(), torch.get_rng_state()]
    return [*states, torch.cuda.get_rng_state(device)] if device.type == "cuda" else states


def restore_rng_state(states: Sequence[Any], device: torch.device) -> None:
    """Let the global random streams go on from `states`."""
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[3], device)
