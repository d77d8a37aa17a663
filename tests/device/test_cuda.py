"""On a GPU: the same trial twice, the CPU's numbers, states that can be resumed, results that can be read."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from device.agreement import LOSS_TOLERANCE, WEIGHT_TOLERANCE, differences
from device.shipped import build, evaluated_trials, trials

import ganbench
from ganbench.registry.registry import load_registry
from ganbench.training.seeding import deterministic, preserve_rng_state, restore_rng_state, rng_state

pytestmark = [pytest.mark.cuda, pytest.mark.filterwarnings("default")]

CUDA = torch.device("cuda")
TRIALS = trials()
KINDS = {kind: replace(trial, device="cuda") for kind, trial in evaluated_trials().items()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_trial_twice_is_bit_identical(kind):
    first, second = (ganbench.run_trial(KINDS[kind], threads=1) for _ in range(2))
    assert first.status == "done", first.reason
    assert_same(first, second)
    assert [(s.metric, s.value) for s in first.scores] == [(s.metric, s.value) for s in second.scores]


@pytest.mark.parametrize("kind", KINDS)
def test_observing_changes_nothing(kind):
    watched = ganbench.run_trial(KINDS[kind], threads=1)
    unwatched = ganbench.run_trial(replace(KINDS[kind], diagnoses=()), threads=1)
    for name, weight in unwatched.artifacts.weights.items():
        np.testing.assert_array_equal(watched.artifacts.weights[name], weight, name)


@pytest.mark.parametrize("name", TRIALS)
def test_a_few_steps_agree_with_the_cpu(name):
    found = differences(TRIALS[name], "cuda")
    assert found["losses"] < LOSS_TOLERANCE
    assert found["weights"] < WEIGHT_TOLERANCE


def test_global_streams_go_on_as_if_nothing_had_been_drawn():
    def draw() -> list[float]:
        return [random.random(), float(np.random.rand()), torch.rand(()).item(), torch.rand((), device="cuda").item()]

    state = rng_state(CUDA)
    expected = draw()
    restore_rng_state(state, CUDA)
    with preserve_rng_state(CUDA):
        draw()
    assert draw() == expected


def test_a_stored_state_goes_on_as_if_nothing_had_been():
    with deterministic(CUDA, threads=1):
        gan = build(TRIALS["averaging, warm-up, decay, two updates a step"], "cuda").gan
        gan.step()
        state = gan.state_dict()
        first = [loss.item() for _ in range(3) for loss in gan.step()]
        gan.load_state_dict(state)
        assert [loss.item() for _ in range(3) for loss in gan.step()] == first


def test_a_fork_is_what_the_run_itself_will_be():
    with deterministic(CUDA, threads=1):
        gan = build(TRIALS["points: mlp/mlp"], "cuda").gan
        ahead = gan.fork(3).weights()
        for _ in range(3):
            gan.step()
        assert all(torch.equal(weight, ahead[name]) for name, weight in gan.weights().items())


def test_a_run_that_diverges_is_a_result():
    lr = {"lr": 1e30, "betas": [0.5, 0.9]}
    training = replace(KINDS["points"].training, optimizer_d=ganbench.ComponentRef("adam", lr))
    result = ganbench.run_trial(replace(KINDS["points"], training=training), threads=1)
    assert result.status == "diverged" and "not finite since step" in result.reason


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16", "float16"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_trial_that_goes_on_ends_as_one_that_was_not_left(kind, precision, tmp_path):
    if precision in ("bf16", "float16") and not torch.cuda.is_available():
        pytest.skip("autocast needs a real GPU")
    training = replace(KINDS[kind].training, precision=precision, accumulate=2, clip=1.0, channels_last=True, steps=40)
    evaluation = replace(KINDS[kind].evaluation, metrics=(ganbench.ComponentRef("energy-distance"),))
    trial = replace(KINDS[kind], training=training, evaluation=evaluation)
    whole = ganbench.run_trial(trial, threads=1)
    assert whole.status == "done", whole.reason
    saved = replace(trial, checkpoints=ganbench.Checkpoints(str(tmp_path / "trial"), steps=13))
    assert_same(ganbench.run_trial(saved, threads=1), whole)
    events: list[ganbench.Event] = []
    assert_same(ganbench.run_trial(saved, events.append, threads=1), whole)
    assert [event.step for event in events if isinstance(event, ganbench.TrialResumed)] == [39], events[:3]


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="other processes have no fake device")


@needs_gpu
def test_trials_in_worker_processes_end_as_in_this_one():
    executor = load_registry().build("executor", ganbench.ComponentRef("processes", {"workers": 2, "threads": 1}))
    other = {result.trial.data.kind: result for result in executor.run(list(KINDS.values()), lambda event: None)}
    for kind, trial in KINDS.items():
        assert other[kind].status == "done", other[kind].reason
        assert_same(ganbench.run_trial(trial, threads=1), other[kind])


@needs_gpu
def test_results_of_a_run_are_stored_and_read(tmp_path):
    made = ganbench.run("smoke", output=tmp_path, seeds=1, steps=20, executor="inline", device="cuda")
    read = ganbench.load(tmp_path)
    assert list(read.trials["status"]) == ["done"] * len(made.trials)
    assert set(read.trials["device"].str.partition(":")[0]) == {"cuda"}
    assert len(read.history(read.trials["trial"].iloc[0])["step"])


def assert_same(some: ganbench.TrialResult, other: ganbench.TrialResult) -> None:
    """History and weights of two results are the same, bit for bit."""
    assert some.artifacts is not None and other.artifacts is not None, (some.reason, other.reason)
    for name, column in some.artifacts.history.columns.items():
        np.testing.assert_array_equal(other.artifacts.history.columns[name], column, name)
    for name, weight in some.artifacts.weights.items():
        np.testing.assert_array_equal(other.artifacts.weights[name], weight, name)
