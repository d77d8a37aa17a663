"""Real samples are read from what the user passes, or collected from the loop where that cannot be read."""

from __future__ import annotations

import time

import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import ganbench
from ganbench.monitor import real_samples


class Stream(IterableDataset):
    def __iter__(self):
        raise AssertionError("reading it takes samples from the loop")


def loaders(x):
    labels = torch.arange(len(x)) % 10
    return {
        "tensor": x,
        "array": x.numpy(),
        "tensors": (x, labels),
        "data set": TensorDataset(x, labels),
        "loader": DataLoader(TensorDataset(labels, x), 16, shuffle=True),
        "persistent": DataLoader(TensorDataset(x), 16, num_workers=1, persistent_workers=True),
        "batches": list(x.split(50)),
        "batches, some empty": [x[:0], *x.split(50), x[:0]],
        "dicts": [{"name": ["a"] * len(part), "image": part} for part in x.split(50)],
    }


@pytest.mark.parametrize("kind", loaders(torch.zeros(2, 2)))
def test_real_samples_are_read_from(kind, gan, issued_warnings):
    monitor = ganbench.Monitor(gan.g, gan.d, real=loaders(gan.real)[kind], budget=10)
    gan.train(monitor, 10)
    pool = torch.cat([part.columns[0] for part in (monitor._real_samples.training, monitor._real_samples.held_out)])
    assert sorted(pool.tolist()) == sorted(gan.real.tolist())
    assert issued_warnings() == []


@pytest.mark.parametrize(
    "kind, source",
    {
        "iterator": iter([]),
        "generator": (x for x in []),
        "stream": DataLoader(Stream()),
        "empty": DataLoader(TensorDataset(torch.zeros(0, 2)), 4),
        "empty batches": [torch.zeros(0, 2)] * 3,
        "other shape": torch.zeros(100, 3),
        "other range": torch.full((100, 2), 7.0),
        "text": ["a", "b"],
        "number": 3,
        "nothing": None,
    }.items(),
)
def test_real_samples_are_collected_from_the_loop_if_the_source_cannot_be_read(kind, source, gan, issued_warnings):
    monitor = ganbench.Monitor(gan.g, gan.d, real=source, budget=30)
    gan.train(monitor, 30)
    pool = torch.cat([part.columns[0] for part in (monitor._real_samples.training, monitor._real_samples.held_out)])
    known = {tuple(row) for row in gan.real.tolist()}
    assert len(pool) >= 128 and all(tuple(row) in known for row in pool.tolist())
    assert monitor.muted is None and len(monitor.findings) >= 0
    assert len(issued_warnings()) == (0 if source is None else 1)


def test_samples_are_collected_only_until_there_are_enough(gan, monkeypatch):
    monkeypatch.setattr(real_samples, "MAX_LOOP_SAMPLES", 200)
    for real, most in ((gan.real, 0), (None, 200 + 16 * gan.batch)):
        monitor = ganbench.Monitor(gan.g, gan.d, real=real, budget=100)
        sizes = []
        for _ in range(100):
            gan.train(monitor, 1)
            sizes.append(len(monitor._real_samples._from_loop))
        assert max(sizes[10:]) <= most and len(set(sizes[60:])) == 1 and monitor.muted is None


def test_real_and_generated_samples_in_one_batch_are_separated(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, budget=30)
    for _ in range(30):
        gan.d(torch.cat([gan.real[torch.randint(512, (32,))], gan.g(torch.randn(32, 4)).detach()]))
        monitor.step()
    known = {tuple(row) for row in gan.real.tolist()}
    assert all(tuple(row) in known for row in monitor._real_samples.training.columns[0].tolist())


def test_real_samples_under_a_penalty_are_collected_and_interpolations_are_not(gan):
    """R1 and R2 want gradients of every sample; WGAN-GP of samples between the two."""
    for between in (False, True):
        monitor = ganbench.Monitor(gan.g, gan.d, budget=30)
        for _ in range(30):
            x, fake = gan.real[torch.randint(512, (32,))], gan.g(torch.randn(32, 4)).detach()
            if between:
                gan.d(x), gan.d(fake), gan.d(x.lerp(fake, torch.rand(32, 1)).requires_grad_())
            else:
                gan.d(x.requires_grad_()), gan.d(fake.requires_grad_())
            gan.d(gan.g(torch.randn(32, 4)))
            monitor.step()
        known = {tuple(row) for row in gan.real.tolist()}
        assert len(monitor._real_samples.training) > 64
        assert all(tuple(row) in known for row in monitor._real_samples.training.columns[0].tolist())


def test_the_standard_deviation_of_a_pool_is_computed_once(gan, monkeypatch):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20)
    gan.train(monitor, 20)
    monkeypatch.delattr(real_samples.torch, "cat")
    assert monitor._real_samples.data_std() == pytest.approx(float(gan.real.std(correction=0)))


class SlowData:
    """A data set that takes a twentieth of a second for each sample."""

    def __init__(self, samples):
        self.samples, self.reads = samples, 0

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, i):
        self.reads += 1
        time.sleep(0.05)
        return self.samples[i]


@pytest.mark.parametrize("seconds, too_few", [(0.9, False), (0.2, True)])
def test_reading_ends_at_the_time_limit_within_a_batch(seconds, too_few, gan, monkeypatch):
    monkeypatch.setattr(real_samples, "MAX_READ_SECONDS", seconds)
    monkeypatch.setattr(real_samples, "MIN_SOURCE_SAMPLES", 8)
    slow = SlowData(gan.real)
    monitor = ganbench.Monitor(gan.g, gan.d, real=slow, budget=20)
    gan.train(monitor, 20)
    assert 1 <= slow.reads <= seconds / 0.05 + 1
    assert monitor.muted is None and ["could be read in" in note for note in monitor.notes] == [True] * too_few
