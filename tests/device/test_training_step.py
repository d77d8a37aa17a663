"""A training step of everything that is shipped keeps to one device, never waits for it, and computes the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from device.fake_cuda import fake_cuda
from device.shipped import build, trials

TRIALS = trials()


@pytest.mark.parametrize("name", TRIALS)
def test_a_step_stays_on_the_device_and_does_not_wait_for_it(name):
    with fake_cuda() as gpu:
        run = build(TRIALS[name], "cuda")
        run.gan.warm_up()
        gpu.syncs.clear()
        losses = [run.gan.step() for _ in range(3)]
        assert gpu.syncs == []
        assert {loss.device.type for pair in losses for loss in pair} == {"cuda"}
        there = run.gan.weights()
    here = build(TRIALS[name], "cpu")
    here.gan.warm_up()
    for _ in range(3):
        here.gan.step()
    assert all(torch.equal(weight, there[key]) for key, weight in here.gan.weights().items())


def test_a_step_in_parts_with_clipped_gradients_does_not_wait_for_the_device_either():
    trial = TRIALS["images: conv/conv"]
    settings = {"precision": "tf32", "accumulate": 2, "clip": 1.0, "channels_last": True}  # autocast needs a real GPU
    with fake_cuda() as gpu:
        gan = build(replace(trial, training=replace(trial.training, **settings)), "cuda").gan
        gan.step()
        gpu.syncs.clear()
        losses = [gan.step() for _ in range(2)]
        assert gpu.syncs == []
        assert {loss.dtype for pair in losses for loss in pair} == {torch.float32}


def test_a_captured_state_goes_on_as_if_nothing_had_been():
    name = "averaging, warm-up, decay, two updates a step"
    with fake_cuda():
        gan = build(TRIALS[name], "cuda").gan
        gan.step()
        state = gan.state_dict()
        first = [loss.item() for _ in range(2) for loss in gan.step()]
        gan.load_state_dict(state)
        assert [loss.item() for _ in range(2) for loss in gan.step()] == first


def test_a_game_is_forked_on_the_device():
    with fake_cuda():
        run = build(TRIALS["regularizer r1"], "cuda")
        other = run.gan.fork(2, lr_d=0.1, more_regularizers={})
        assert other.device.type == "cuda" and other.steps_done == 2 and run.gan.steps_done == 0
