"""A step of every network from a paper keeps to one device, never waits for it, and computes the same as on the CPU."""

from __future__ import annotations

import os
import sys
import time

import pytest
import torch
from device.fake_cuda import fake_cuda
from device.published import RECIPES, build_game

FAKE = os.environ.get("GANBENCH_FAKE_CUDA") == "1"  # whose steps are the CPU's


def game(name, device):
    try:
        return build_game(name, device, small=True)
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", RECIPES)
def test_a_step_stays_on_the_device_and_does_not_wait_for_it(name):
    with fake_cuda() as gpu:
        gan = game(name, "cuda")
        gan.step()
        gpu.syncs.clear()
        losses = gan.step()
        assert gpu.syncs == []
        assert {loss.device.type for loss in losses} == {"cuda"}
        there = gan.weights()
    here = game(name, "cpu")
    for _ in range(2):
        here.step()
    assert all(torch.equal(weight, there[key]) for key, weight in here.weights().items())


@pytest.mark.cuda
@pytest.mark.parametrize("name", RECIPES)
def test_a_step_of_the_published_size_ends_with_finite_losses(name):
    try:
        gan = build_game(name, "cuda", small=FAKE)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    losses = [*gan.step(), *gan.step()]
    assert all(torch.isfinite(loss) for loss in losses)


def test_the_benchmark_tries_the_same_steps(monkeypatch):
    from importlib.util import module_from_spec, spec_from_file_location
    from pathlib import Path

    from device import published

    spec = spec_from_file_location("accelerator", Path(__file__).parents[2] / "benchmarks" / "accelerator.py")
    accelerator = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "accelerator", accelerator)
    spec.loader.exec_module(accelerator)
    monkeypatch.setattr(published, "RECIPES", {"patchgan": RECIPES["patchgan"]})
    report = accelerator.Report("fake", {})
    accelerator.measure_networks(report, False, time.monotonic() + 600)
    assert report.figures["networks"] == {"small steps": 1} and not report.failures and not report.left_out
    accelerator.measure_networks(report, False, 0.0)
    assert report.left_out == ["step of patchgan, small: no time left"]
