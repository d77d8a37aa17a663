"""Discriminators that are given two batches at once, return lists, or have several heads."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import ganbench

DIM = 16


def signals(n):
    return torch.tanh(torch.randn(n, 8) @ torch.randn(8, DIM, generator=torch.Generator().manual_seed(0)))


class Head(nn.Module):
    """A logit, or a map of logits, and its features."""

    def __init__(self, outputs=1):
        super().__init__()
        self.first, self.last = nn.Linear(DIM, 16), nn.Linear(16, outputs)

    def forward(self, x):
        hidden = torch.relu(self.first(x))
        return self.last(hidden), [hidden]


class Pair(nn.Module):
    """D(y, ŷ): lists of logits of both, then lists of features of both, of every head."""

    def __init__(self, outputs=(1,)):
        super().__init__()
        self.heads = nn.ModuleList(Head(n) for n in outputs)

    def forward(self, y, y_hat):
        real, fake = ([head(x) for head in self.heads] for x in (y, y_hat))
        return [r for r, _ in real], [f for f, _ in fake], [h for _, h in real], [h for _, h in fake]


class Joint(nn.Module):
    """D(y, ŷ) whose only output depends on both."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2 * DIM, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, y, y_hat):
        return self.net(torch.cat([y, y_hat], 1))


def train(d, steps=40, real=True, **options):
    torch.manual_seed(0)
    g, wave = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, DIM), nn.Tanh()), signals(1024)
    optimizer_g, optimizer_d = (torch.optim.Adam(m.parameters(), lr) for m, lr in ((g, 1e-4), (d, 1e-2)))
    monitor = ganbench.Monitor(g, d, real=wave if real else None, budget=40, quiet=True, **options)
    for _ in range(steps):
        y, y_hat = wave[torch.randint(1024, (64,))], g(torch.randn(64, 8))
        real_logits, fake_logits, *_ = d(y, y_hat.detach())
        pairs = zip(real_logits, fake_logits, strict=True)
        loss_d = sum((1 - r).square().mean() + f.square().mean() for r, f in pairs)
        optimizer_d.zero_grad()
        loss_d.backward()
        optimizer_d.step()
        _, fake_logits, of_real, of_fake = d(y, y_hat)
        features = sum((a[0] - b[0]).abs().mean() for a, b in zip(of_real, of_fake, strict=True))
        loss_g = sum((1 - f).square().mean() for f in fake_logits) + features
        optimizer_g.zero_grad()
        loss_g.backward()
        optimizer_g.step()
        monitor.step(loss_d, loss_g)
    return monitor


@pytest.mark.parametrize("real", [True, False], ids=["real samples handed over", "real samples from the loop"])
def test_a_discriminator_of_pairs_is_watched(real):
    monitor = train(Pair(), real=real)
    assert monitor.muted is None and monitor.notes == ()
    columns = monitor.history().columns
    assert len(columns["step"]) == 4 and np.isfinite(columns["input_gradient"]).all()
    assert columns["auc_d"][-1] > 0.6, "its verdict on generated samples is read, and that on real ones"
    assert not [finding for finding in monitor.findings if finding.diagnosis == "wiring"]


def test_several_heads_are_read_one_by_one():
    monitor = train(Pair((1, 1, 1)))
    columns = monitor.history().columns
    assert monitor.muted is None
    heads = [columns[f"auc_d_head_{i}"][0] for i in (1, 2, 3)]  # later all are nearly 1
    assert len(set(heads)) == 3 and all(0 <= auc <= 1 for auc in heads)
    assert "auc_d_head_1" not in train(Pair()).history().columns


def test_what_depends_on_both_is_not_taken_for_a_pair():
    """The other batch is then a condition, which random real samples do not have."""
    d, g, wave = Joint(), nn.Sequential(nn.Linear(8, DIM), nn.Tanh()), signals(1024)
    monitor = ganbench.Monitor(g, d, real=wave, budget=40, quiet=True)
    with pytest.warns(RuntimeWarning):
        for _ in range(40):
            y = wave[torch.randint(1024, (64,))]
            d(y, g(torch.randn(64, 8)))
            monitor.step()
    assert monitor.muted is not None or monitor.notes


@pytest.mark.parametrize("several", [list, tuple, nn.ModuleList])
def test_several_discriminators_are_told_to_take_a_monitor_each(several):
    with pytest.raises(ValueError, match="of 2, and a monitor watches one; make a monitor for each"):
        ganbench.Monitor(nn.Linear(2, 2), several([nn.Linear(2, 1), nn.Linear(2, 1)]), budget=10)


def test_a_monitor_for_each_of_several_discriminators_works(gan):
    other = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
    monitors = [ganbench.Monitor(gan.g, d, real=gan.real, budget=20, quiet=True) for d in (gan.d, other)]
    for _ in range(20):
        losses = gan.step()
        fake = gan.g(torch.randn(32, 4))
        (other(fake).mean() - other(gan.real[:32]).mean()).backward()
        for monitor in monitors:
            monitor.step(*losses)
    assert [monitor.muted for monitor in monitors] == [None, None]
    assert all(len(monitor.history().columns["step"]) == 2 for monitor in monitors)
