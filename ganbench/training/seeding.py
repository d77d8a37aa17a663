"""One base seed with named sub-seeds, and the global state of torch that a trial finds and leaves as it was."""

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
    """Return the seed for one purpose ("generator", "data order", ...): unrelated between purposes, always the same."""
    digest = hashlib.sha256(f"{base}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1  # torch takes 63 bits everywhere


def seed_everything(seed: int) -> None:
    """Seed the global random number generators of torch, Python and numpy."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)


# Settings of torch that a trial finds whatever a plugin or an earlier trial has set: (get, set, value).
SETTINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any], Any]] = {
    "torch's default dtype": (torch.get_default_dtype, torch.set_default_dtype, torch.float32),
    "torch's default device": (torch.get_default_device, lambda device: _set_device(device), torch.device("cpu")),
    "torch's gradient mode": (torch.is_grad_enabled, torch._C._set_grad_enabled, True),
    "torch's anomaly mode": (torch.is_anomaly_enabled, torch.set_anomaly_enabled, False),
    "torch's matmul precision": (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "highest"),
    "cuDNN's use of TF32": (lambda: torch.backends.cudnn.allow_tf32, lambda allow: _allow_tf32(allow), False),
    "torch's deterministic mode": (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode, 0),
}
_WARN = 1  # deterministic algorithms, with a warning where there is none


@contextmanager
def deterministic(device: torch.device, threads: int | None = None) -> Iterator[None]:
    """Set known settings, deterministic algorithms and a thread count for a trial; restore all of them afterwards."""
    before = [read() for read, _, _ in SETTINGS.values()]
    threads_before = torch.get_num_threads()
    set_standards()
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


def set_standards() -> None:
    """Set the settings of torch that a trial finds."""
    _set([standard for _, _, standard in SETTINGS.values()])


def _set(values: Sequence[Any]) -> None:
    for (read, put, _), value in zip(SETTINGS.values(), values, strict=True):
        if read() != value:  # setting some costs seconds or slows later calls, even to the value they have
            put(value)


def _allow_tf32(allow: bool) -> None:
    torch.backends.cudnn.allow_tf32 = allow


def _set_device(device: torch.device) -> None:
    torch.set_default_device(None if device == torch.device("cpu") else device)  # None: no check at each call


@contextmanager
def preserve_rng_state(device: torch.device) -> Iterator[None]:
    """Restore the global random number generators afterwards, whatever is drawn inside."""
    state = rng_state(device)
    try:
        yield
    finally:
        restore_rng_state(state, device)


def rng_state(device: torch.device) -> list[Any]:
    """Return the states of the global random number generators of Python, numpy and torch, on the CPU and on `device`."""
    states = [random.getstate(), np.random.get_state(), torch.get_rng_state()]
    return [*states, torch.cuda.get_rng_state(device)] if device.type == "cuda" else states


def restore_rng_state(states: Sequence[Any], device: torch.device) -> None:
    """Set the global random number generators to `states`, as `rng_state` returned them."""
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[3], device)
