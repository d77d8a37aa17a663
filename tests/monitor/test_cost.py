"""Looks take a small share of a loop's operations at any size, and what is left out for that is said."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import softplus
from torch.utils.flop_counter import FlopCounterMode

import ganbench
from ganbench.monitor import cost
from ganbench.monitor import monitor as module
from ganbench.observation.probes import FAKES_PER_REAL

SIDE, BATCH, LATENT, WIDTH, STEPS = 32, 32, 8, 24, 40


class Pictures:
    """A loop on small pictures whose training step is counted apart from the monitor's."""

    def __init__(self, **options):
        torch.manual_seed(0)
        self.g = nn.Sequential(
            *(nn.Linear(LATENT, WIDTH * 64), nn.Unflatten(1, (WIDTH, 8, 8))),
            *(nn.ConvTranspose2d(WIDTH, WIDTH, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(WIDTH, 3, 4, 2, 1)),
        )
        self.d = nn.Sequential(
            *(nn.Conv2d(3, WIDTH, 4, 2, 1), nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, 4, 2, 1), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(WIDTH * 64, 1)),
        )
        self.real = torch.randn(1024, 3, SIDE, SIDE)
        self.optimizers = [torch.optim.Adam(network.parameters(), 1e-3) for network in (self.d, self.g)]
        self.monitor = ganbench.Monitor(self.g, self.d, real=self.real, budget=STEPS, **options)

    def train_step(self):
        fake = self.g(torch.randn(BATCH, LATENT))
        real = self.real[torch.randint(len(self.real), (BATCH,))]
        for optimizer, loss in (
            (self.optimizers[0], lambda: softplus(-self.d(real)).mean() + softplus(self.d(fake.detach())).mean()),
            (self.optimizers[1], lambda: softplus(-self.d(fake)).mean()),
        ):
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()

    def train(self):
        for _ in range(STEPS):
            self.train_step()
            self.monitor.step()

    def probed(self):
        columns = self.monitor.history().columns
        return columns["step"][np.isfinite(columns["coverage"])].tolist()


def count(act):
    with FlopCounterMode(display=False) as counter:
        act()
    return counter.get_total_flops()


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_looks_take_their_share_of_the_operations_of_a_short_loop(share, monkeypatch):
    """In a test there are few steps, and so the share is a larger one."""
    monkeypatch.setattr(cost, "FREE_FLOPS", 0.0)
    monkeypatch.setattr(cost, "SHARE", share)
    loop = Pictures(quiet=True)
    training, looking = zip(*((count(loop.train_step), count(loop.monitor.step)) for _ in range(STEPS)), strict=True)
    assert loop.monitor.muted is None and loop.probed()
    assert sum(looking) < 1.3 * share * sum(training)


def test_what_is_left_out_is_noted_and_the_last_probe_is_made(monkeypatch):
    monkeypatch.setattr(cost, "FREE_FLOPS", 0.0)
    loop = Pictures(quiet=True)
    loop.train()
    (note,) = loop.monitor.notes
    assert "the last 1 of 4 observations and the last 1 of 4 probes of 32 samples" in note
    assert loop.probed() == [STEPS]


def test_a_tiny_loop_is_looked_at_in_full(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=100)
    gan.train(monitor, 100)
    assert monitor.notes == () and len(monitor.history().columns["step"]) == 10


def test_looks_that_take_far_longer_than_counted_end_but_for_the_last(monkeypatch):
    monkeypatch.setattr(module, "FREE_SECONDS", 0.0)
    monkeypatch.setattr(module, "MAX_TIME_SHARE", 0.0)
    loop = Pictures(quiet=True)
    loop.train()
    assert loop.monitor.history().columns["step"].tolist() == [10, STEPS] and loop.probed() == [STEPS]
    assert "looked at once more" in loop.monitor.notes[-1]


@pytest.mark.parametrize("held_out", [None, torch.randn(512, 3, SIDE, SIDE)], ids=["halves", "held out"])
def test_d_judges_no_samples_whose_logits_no_probe_reads(held_out):
    loop = Pictures(quiet=True, held_out=held_out)
    view = loop.monitor._view
    judged, logits = [], type(view).logits
    loop.train()
    view.logits = lambda batch: judged.append(len(batch.x)) or logits(view, batch)
    loop.monitor._observer.observe(STEPS, torch.zeros(()), torch.zeros(()), probe=True)
    n, signals = view.affordable, 32
    compared = 2 * n + (0 if held_out is None else n)  # real and generated ones, and training ones where that is asked
    assert FAKES_PER_REAL == 2 and sum(judged) == compared + signals * (2 if held_out is None else 3)


def test_a_monitor_that_writes_no_report_waits_for_no_tables():
    program = "import sys, torch, ganbench; from torch import nn\n"
    program += "ganbench.Monitor(nn.Linear(2, 2), nn.Linear(2, 1), real=torch.randn(64, 2), budget=30)\n"
    program += "print([name for name in ('pandas', 'scipy', 'pyarrow') if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
