"""Captured steps: on a GPU the bits of those that are taken; on the CPU, networks from papers on a recorder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from device.published import RECIPES, build_game
from device.shipped import evaluated_trials
from device.tape import Tape

import ganbench
from ganbench.registry.registry import load_registry
from ganbench.training.capture import StepCapture
from ganbench.training.cuda_graphs import CudaGraphs
from ganbench.training.data import DeviceDataset
from ganbench.training.game import GAN
from ganbench.training.seeding import deterministic

CUDA = torch.device("cuda")


def on_gpu(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that needs a GPU."""
    for mark in (
        pytest.mark.cuda,
        pytest.mark.filterwarnings("default"),
        pytest.mark.skipif(not torch.cuda.is_available(), reason="a fake device records no graphs"),
    ):
        test = mark(test)
    return test


RING = ganbench.DataSpec("points", (2,))
PICTURES = ganbench.DataSpec("images", (3, 32, 32), (-1.0, 1.0))
LAZY_R1 = {"r1": {"every": 4}}
SPECTRAL = {"normalization": "spectral"}


def game(
    data: ganbench.DataSpec,
    network: str,
    *,
    loss: str = "non-saturating",
    regularizers: dict[str, dict[str, Any]] | None = None,
    d: dict[str, Any] | None = None,
    seed: int = 0,
    **settings: Any,
) -> GAN:
    """A game on random samples on the GPU."""
    registry = load_registry()
    torch.manual_seed(seed)
    x = torch.rand(2048, *data.shape) * 2 - 1
    generator = registry.build("generator", ganbench.ComponentRef(network), data).cuda()
    discriminator = registry.build("discriminator", ganbench.ComponentRef(network, d or {}), data).cuda()
    adam = ganbench.ComponentRef("adam", {"lr": 2e-4, "betas": [0.5, 0.999], "eps": 1e-8, "weight_decay": 0.0})
    training = ganbench.Training(10**4, 64, adam, adam, **settings)
    penalties = {
        name: registry.build("regularizer", ganbench.ComponentRef(name, options))
        for name, options in (regularizers or {}).items()
    }
    built_loss = registry.build("loss", ganbench.ComponentRef(loss))
    dataset = DeviceDataset(ganbench.Batch(x), data, CUDA)
    return GAN(generator, discriminator, built_loss, penalties, dataset, training, seed=seed)


GAMES: dict[str, dict[str, Any]] = {
    "ring": {"data": RING, "network": "mlp"},
    "ring, lazy R1": {"data": RING, "network": "mlp", "regularizers": LAZY_R1},
    "ring, penalty of random numbers": {"data": RING, "network": "mlp", "regularizers": {"gradient-penalty": {}}},
    "32 pixels": {"data": PICTURES, "network": "conv"},
    "32 pixels, lazy R1": {"data": PICTURES, "network": "conv", "regularizers": LAZY_R1},
    "32 pixels, hinge, spectral": {"data": PICTURES, "network": "conv", "loss": "hinge", "d": SPECTRAL},
    "32 pixels, average, decay": {
        "data": PICTURES,
        "network": "conv",
        "ema": 0.999,
        "lr_decay": "cosine",
        "d_steps": 2,
    },
    "32 pixels, tf32": {"data": PICTURES, "network": "conv", "precision": "tf32", "channels_last": True},
    "32 pixels, bf16": {"data": PICTURES, "network": "conv", "precision": "bf16", "accumulate": 2, "clip": 1.0},
}


@pytest.mark.parametrize("name", GAMES)
@on_gpu
def test_fifty_captured_steps_are_bit_identical(name):
    with deterministic(CUDA, threads=1):
        taken = game(**GAMES[name])
        torch.manual_seed(1)
        expected = [loss for _ in range(50) for loss in taken.step()]
        drawn = torch.cuda.get_rng_state()
        launched = game(**GAMES[name])
        torch.manual_seed(1)
        captured = StepCapture(launched, CudaGraphs(CUDA))
        losses = [loss for _ in range(50) for loss in captured.step()]
        assert captured.summary == "yes", captured.summary
        assert captured.launched >= 30
        assert torch.equal(torch.stack(losses), torch.stack(expected))
        for part, weight in taken.weights().items():
            assert torch.equal(launched.weights()[part], weight), part
        assert torch.equal(torch.cuda.get_rng_state(), drawn)


class Waits(ganbench.Loss):
    """Waits for the device where no operation shows it, which a device that records refuses."""

    def discriminator(self, d, real, fake):
        torch.cuda.synchronize()
        return torch.nn.functional.softplus(d(fake) - d(real)).mean()

    def generator(self, d, real, fake):
        return torch.nn.functional.softplus(-d(fake)).mean() * torch.rand((), device=fake.x.device)


@on_gpu
def test_a_capture_that_the_device_refuses_changes_nothing():
    with deterministic(CUDA, threads=1):
        losses = []
        for capture in (False, True):
            one = game(RING, "mlp")
            one._loss_d, one._loss_g = (
                partial(one._by_head, Waits(), of) for of in (Waits().discriminator, Waits().generator)
            )
            torch.manual_seed(1)
            captured = StepCapture(one, CudaGraphs(CUDA))
            step = captured.step if capture else one.step
            losses.append(torch.stack([loss for _ in range(20) for loss in step()]))
        assert captured.why_not.startswith("it could not be captured: "), captured.summary
        assert torch.equal(*losses)


@on_gpu
def test_a_captured_step_is_one_launch_of_a_graph():
    with deterministic(CUDA, threads=1):
        captured = StepCapture(game(**GAMES["ring"]), CudaGraphs(CUDA))
        for _ in range(20):
            captured.step()
        assert captured.summary == "yes", captured.summary
        torch.cuda.synchronize()
        with torch.profiler.profile() as profile:
            for _ in range(10):
                captured.step()
            torch.cuda.synchronize()
    calls = {event.key: event.count for event in profile.key_averages()}
    assert calls.get("cudaGraphLaunch", 0) == 10, calls
    assert sum(count for name, count in calls.items() if name.startswith("cudaLaunchKernel")) <= 100


@pytest.mark.parametrize("kind", ["points", "images"])
@on_gpu
def test_a_whole_trial_is_the_same_captured_or_not(kind):
    trial = replace(evaluated_trials()[kind], device="cuda")
    results = [
        ganbench.run_trial(replace(trial, training=replace(trial.training, steps=120, capture=capture)), threads=1)
        for capture in ("auto", "off")
    ]
    assert [r.captured for r in results] == ["yes", ""], results[0].captured
    assert_same(*results)


@on_gpu
def test_trials_side_by_side_end_as_one_after_another():
    trial = replace(evaluated_trials()["points"], device="cuda", diagnoses=())
    training = replace(trial.training, steps=200)
    trials = [replace(trial, id=f"seed {seed}", seed=seed, training=training) for seed in range(4)]
    executor = load_registry().build("executor", ganbench.ComponentRef("together", {"threads": 1}))
    found = {result.trial.id: result for result in executor.run(trials, lambda event: None)}
    for each in trials:
        assert found[each.id].captured == "yes", found[each.id].captured
        assert_same(found[each.id], ganbench.run_trial(each, threads=1))


def assert_same(some: ganbench.TrialResult, other: ganbench.TrialResult) -> None:
    assert some.status == other.status == "done", (some.reason, other.reason)
    assert some.artifacts is not None and other.artifacts is not None
    for name, column in some.artifacts.history.columns.items():
        np.testing.assert_array_equal(other.artifacts.history.columns[name], column, name)
    for name, weight in some.artifacts.weights.items():
        np.testing.assert_array_equal(other.artifacts.weights[name], weight, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_networks_from_papers_can_be_captured(name):
    def build() -> GAN:
        try:
            return build_game(name, "cpu", small=True)
        except FileNotFoundError as error:
            pytest.skip(str(error))

    with deterministic(torch.device("cpu"), threads=1):
        taken, launched = build(), build()
        torch.manual_seed(1)
        expected = [loss for _ in range(8) for loss in taken.step()]
        torch.manual_seed(1)
        captured = StepCapture(launched, Tape())
        losses = [loss for _ in range(8) for loss in captured.step()]
    assert torch.equal(torch.stack(losses), torch.stack(expected))
    assert captured.summary == "yes" and captured.launched, captured.summary
