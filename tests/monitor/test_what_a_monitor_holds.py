"""A monitor keeps little of a loop in memory, and nothing of it for longer than it is needed."""

from __future__ import annotations

import time
import weakref

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef

import ganbench
from ganbench.monitor import real_samples


def test_what_g_returned_is_freed_when_the_loop_lets_go_of_it(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20)
    with torch.no_grad():
        samples = gan.g(torch.randn(32, 4))
    memory = StorageWeakRef(samples.untyped_storage())
    del samples
    assert monitor._watch.window.made and memory.expired()


def test_memory_that_was_given_back_is_not_taken_for_what_lay_there(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20)
    with torch.no_grad():
        samples = gan.g(torch.randn(32, 4))
        gan.d(samples)
        place = monitor._watch._alive[-1][1][0]
        assert monitor._watch.window.judged[-1].link == "same" and place.holds(samples)
    start = samples.data_ptr()
    del samples
    other = torch.zeros(32, 2)
    other.data_ptr = lambda: start  # as an allocator that hands out the same memory
    assert not place.holds(other)


def test_calls_and_gradients_are_let_go_between_looks_and_at_the_end(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40)
    for closing in (False, True):
        seen = []
        for _ in range(11):
            gan.step()
            seen += [weakref.ref(gradient) for gradient in monitor._watch.window.gradients]
            if not closing:
                monitor.step()
            elif not monitor._watch.armed:
                monitor._watch.arm()
        if closing:
            monitor.close()
        window = monitor._watch.window
        assert seen and not (window.made or window.judged or window.gradients)
        assert [ref() for ref in seen] == [None] * len(seen)


def test_samples_are_met_only_until_there_are_enough(gan, monkeypatch):
    monkeypatch.setattr(real_samples, "ENOUGH", 200)
    for real, most in ((gan.real, 0), (None, 200 + 16 * gan.batch)):
        monitor = ganbench.Monitor(gan.g, gan.d, real=real, budget=100)
        sizes = []
        for _ in range(100):
            gan.step()
            monitor.step()
            sizes.append(len(monitor._reals._met))
        assert max(sizes[10:]) <= most and len(set(sizes[60:])) == 1 and monitor.muted is None


def test_the_spread_of_a_pool_is_computed_once(gan, monkeypatch):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20)
    for _ in range(20):
        gan.step()
        monitor.step()
    monkeypatch.delattr(real_samples.torch, "cat")
    assert monitor._reals.data_std() == pytest.approx(float(gan.real.std(correction=0)))


class Slow:
    """A data set that takes a twentieth of a second for each sample."""

    def __init__(self, samples):
        self.samples, self.asked = samples, 0

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, i):
        self.asked += 1
        time.sleep(0.05)
        return self.samples[i]


@pytest.mark.parametrize("seconds, few", [(0.9, False), (0.2, True)])
def test_reading_ends_in_the_midst_of_a_batch_when_time_is_up(seconds, few, gan, monkeypatch):
    monkeypatch.setattr(real_samples, "SECONDS", seconds)
    monkeypatch.setattr(real_samples, "FEWEST_READ", 8)
    slow = Slow(gan.real)
    monitor = ganbench.Monitor(gan.g, gan.d, real=slow, budget=20)
    for _ in range(20):
        gan.step()
        monitor.step()
    assert 1 <= slow.asked <= seconds / 0.05 + 1
    assert monitor.muted is None and ["could be read in" in note for note in monitor.notes] == [True] * few
