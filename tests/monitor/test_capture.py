"""Hooks hold little of a loop in memory, release it early, and are not copied with a module."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef

import ganbench


def test_outputs_of_g_are_freed_when_the_loop_drops_them(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20)
    with torch.no_grad():
        samples = gan.g(torch.randn(32, 4))
    memory = StorageWeakRef(samples.untyped_storage())
    del samples
    assert monitor._capture.captured.generator_calls and memory.expired()


def test_reused_memory_is_not_taken_for_an_output_of_g(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20)
    with torch.no_grad():
        samples = gan.g(torch.randn(32, 4))
        gan.d(samples)
        address = monitor._capture._recent[-1][1][0]
        assert monitor._capture.captured.discriminator_calls[-1].origin == "identical" and address.matches(samples)
    start = samples.data_ptr()
    del samples
    other = torch.zeros(32, 2)
    other.data_ptr = lambda: start  # as an allocator that reuses the memory
    assert not address.matches(other)


def test_calls_and_gradients_are_released_after_an_observation_and_on_close(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40)
    for closing in (False, True):
        seen = []
        for _ in range(11):
            gan.step()
            seen += [weakref.ref(gradient) for gradient in monitor._capture.captured.gradients]
            if not closing:
                monitor.step()
            elif not monitor._capture.active:
                monitor._capture.start()
        if closing:
            monitor.close()
        captured = monitor._capture.captured
        assert seen and not (captured.generator_calls or captured.discriminator_calls or captured.gradients)
        assert [ref() for ref in seen] == [None] * len(seen)


def test_the_graph_of_g_is_freed_after_its_step(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20)

    class Held(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.big = Big()
            alive.append(weakref.ref(ctx.big))
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient

    class Big:
        pass

    alive: list = []
    gan.g.register_forward_hook(lambda module, args, output: Held.apply(output))
    gan.step()
    gc.collect()
    assert monitor._capture.captured.generator_calls and [ref() for ref in alive] == [None]


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])  # noqa: S301
def test_hooks_do_nothing_in_a_copy_of_the_module(gan, duplicate):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20)
    gan.step()
    assert gan.g._forward_hooks, "the first step is captured"
    other = duplicate(gan.g)
    seen = len(monitor._capture.captured.generator_calls)
    other(torch.randn(3, 4))
    assert len(monitor._capture.captured.generator_calls) == seen
    assert list(other.state_dict()) == list(gan.g.state_dict())
