"""Observing a run on a device: every signal and probe stays there, and an observation is brought over at once."""

from __future__ import annotations

import pytest
import torch
from device.fake_cuda import fake_cuda
from device.shipped import build, evaluated_trials, shipped, trials

from ganbench.observation.observer import Observer
from ganbench.observation.probe_features import choose_embedding
from ganbench.observation.probes import PROBES, ProbeBatch
from ganbench.observation.signals import SIGNALS, SignalBatch, textbook_signals

TRIALS = trials()
KINDS = evaluated_trials()


@pytest.fixture(params=KINDS)
def watched(request):
    """A run on the fake device after two steps, its last losses, and what happened on the device since."""
    with fake_cuda() as gpu:
        run = build(KINDS[request.param], "cuda")
        run.gan.step()
        losses = run.gan.step()
        gpu.syncs.clear()
        yield run, losses, gpu


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_is_measured_on_the_device(watched, name):
    run, _, gpu = watched
    with run.view.at(2) as view:
        assert SIGNALS[name](SignalBatch(view)).device.type == "cuda"
    assert gpu.syncs == []


@pytest.mark.parametrize("floor", [False, True])
@pytest.mark.parametrize("name", PROBES)
def test_a_probe_is_measured_on_the_device(watched, name, floor):
    run, _, gpu = watched
    with run.view.at(2) as view:
        assert PROBES[name](ProbeBatch(view, choose_embedding(view.data.shape), floor=floor)).device.type == "cuda"
    assert gpu.syncs == []


def test_textbook_signals_norms_and_fixed_samples_are_measured_on_the_device(watched):
    run, _, gpu = watched
    with run.view.at(2) as view:
        measured = textbook_signals(SignalBatch(view)) | view.norms()
        assert {value.device.type for value in [*measured.values(), view.fixed(8)]} == {"cuda"}
    assert gpu.syncs == []


def test_an_observation_is_one_transfer(watched):
    run, losses, gpu = watched
    row = run.observer.observe(2, *losses, probe=False)
    assert len(gpu.syncs) == 1
    assert {*SIGNALS, "motion_speed", "weight_norm_d"} <= row.keys()


def test_an_observation_with_all_probes_is_one_transfer(watched):
    run, losses, gpu = watched
    probed = Observer(run.view, {"all": type("All", (), {"probes": tuple(PROBES), "diagnose": list})()})
    assert probed.observe(2, *losses, probe=True).keys() >= PROBES.keys()
    assert len(gpu.syncs) == 1


@pytest.mark.parametrize("diagnosis", [entry.name for entry in shipped("diagnosis")])
def test_a_diagnosis_measures_on_the_device(watched, diagnosis):
    run, losses, gpu = watched
    observer = Observer(run.view, {diagnosis: run.diagnoses[diagnosis]})
    observer.observe(2, *losses, probe=False)
    assert len(gpu.syncs) == 1
    run.view.step = run.view.steps  # as late as it gets, so that nothing is too early to be measured
    observer.observe(run.view.steps, *losses, probe=True)


@pytest.mark.parametrize("name", [name for name in TRIALS if name.startswith(("loss", "points:", "images:"))])
def test_a_run_of_each_component_is_observed_in_one_transfer(name):
    with fake_cuda() as gpu:
        run = build(TRIALS[name], "cuda")
        losses = run.gan.step()
        observer = Observer(run.view, {"all": type("All", (), {"probes": tuple(PROBES), "diagnose": list})()})
        gpu.syncs.clear()
        observer.observe(1, *losses, probe=True)
        assert len(gpu.syncs) == 1


def test_bytes_are_measured_on_the_device():
    from ganbench import Batch, DataSpec
    from ganbench.training.data import DeviceDataset

    with fake_cuda():
        pixels = Batch(torch.randint(256, (50, 1, 8, 8), dtype=torch.uint8))
        data = DeviceDataset(pixels, DataSpec("images", (1, 8, 8), value_range=(-1.0, 1.0)), torch.device("cuda"))
        assert data.take(torch.arange(5, device="cuda")).x.device.type == "cuda"
        assert data.std() == pytest.approx(float(pixels.x.float().std(unbiased=False)) * 2 / 255, rel=1e-5)
