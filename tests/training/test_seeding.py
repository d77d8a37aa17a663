"""A trial finds known settings whatever was set before it, and leaves everything as it was."""

from __future__ import annotations

import random

import numpy as np
import torch

from ganbench.training.seeding import SETTINGS, deterministic, preserve_rng_state

CPU = torch.device("cpu")


def test_settings_inside_are_standard_and_outside_as_before():
    before = {name: read() for name, (read, _, _) in SETTINGS.items()}
    threads = torch.get_num_threads()
    try:
        torch.set_default_dtype(torch.float64)
        torch.set_float32_matmul_precision("medium")
        torch.set_anomaly_enabled(True)
        torch.use_deterministic_algorithms(True, warn_only=True)
        with torch.no_grad(), deterministic(CPU, threads=1):
            assert all(read() == standard for read, _, standard in SETTINGS.values())
            assert torch.get_num_threads() == 1
            torch.set_default_dtype(torch.float16)
            torch.set_default_device("meta")
        assert torch.get_default_dtype() == torch.float64
        assert torch.get_float32_matmul_precision() == "medium" and torch.is_anomaly_enabled()
        assert torch.get_deterministic_debug_mode() == 1
        assert torch.zeros(1).device == CPU and torch.get_num_threads() == threads
    finally:
        for name, (_, put, _) in SETTINGS.items():
            put(before[name])


def test_global_streams_go_on_as_if_nothing_had_been_drawn():
    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    def seed() -> None:
        torch.manual_seed(1)
        random.seed(1)
        np.random.seed(1)

    seed()
    expected = draw(), draw()
    seed()
    first = draw()
    with preserve_rng_state(CPU):
        draw()
    assert (first, draw()) == expected
