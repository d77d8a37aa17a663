"""Whole trials on the fake device end as on the CPU: trained, observed, diagnosed, evaluated, stored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from device.fake_cuda import fake_cuda
from device.shipped import evaluated_trials
from torch import nn

import ganbench

KINDS = evaluated_trials()


def run_both(trial: ganbench.Trial) -> tuple[ganbench.TrialResult, ganbench.TrialResult]:
    here = ganbench.run_trial(trial, threads=1)
    with fake_cuda():
        there = ganbench.run_trial(replace(trial, device="cuda"), threads=1)
    return here, there


@pytest.mark.parametrize("kind", KINDS)
def test_a_trial_with_all_metrics_and_diagnoses_ends_as_on_the_cpu(kind):
    here, there = run_both(KINDS[kind])
    assert (there.status, there.reason, there.device) == (here.status, here.reason, "cuda") and here.status == "done"
    assert [score.metric for score in there.scores] == [score.metric for score in here.scores]
    for ours, theirs in zip(here.scores, there.scores, strict=True):  # LAPACK's last digits depend on where arrays lie
        assert (theirs.value, theirs.floor) == pytest.approx((ours.value, ours.floor), rel=1e-9, nan_ok=True)
    assert there.verdicts == here.verdicts
    ours, theirs = here.artifacts, there.artifacts
    for name, column in ours.history.columns.items():
        np.testing.assert_array_equal(theirs.history.columns[name], column, name)
    np.testing.assert_array_equal(theirs.samples, ours.samples)
    for name, weight in ours.weights.items():
        np.testing.assert_array_equal(theirs.weights[name], weight, name)


def test_training_between_observations_and_evaluations_never_waits():
    trial = KINDS["points"]
    with fake_cuda() as gpu:
        ganbench.run_trial(replace(trial, device="cuda", diagnoses=()), threads=1)
    waits = [sync for sync in gpu.syncs if "(game.py" in sync]
    allowed = len(trial.evaluation.at)  # of the loop, before each evaluation
    weights = 2 * 6  # brought over at the end: two networks of three layers
    assert len(waits) <= allowed + weights, waits


def test_a_run_that_diverges_is_located_on_the_device():
    trial = replace(KINDS["points"], diagnoses=())
    lr = {"lr": 1e30, "betas": [0.5, 0.9]}
    training = replace(trial.training, optimizer_d=ganbench.ComponentRef("adam", lr))
    here, there = run_both(replace(trial, training=training))
    assert there.status == here.status == "diverged" and there.reason == here.reason


def test_a_network_that_mixes_devices_is_an_error_of_the_trial(plugin_file):
    files = plugin_file('''
class Shifted(nn.Module):
    """A generator that forgot to register a buffer."""

    def __init__(self, data: ganbench.DataSpec) -> None:
        super().__init__()
        self.latent_dim = 4
        self.net = nn.Linear(4, 2)
        self.shift = torch.ones(2)

    def forward(self, z, labels=None):
        return self.net(z) + self.shift


@ganbench.hookimpl
def ganbench_generators():
    yield ganbench.Component("shifted", Shifted)
''')
    trial = KINDS["points"]
    components = replace(trial.components, generator=ganbench.ComponentRef("shifted"))
    with fake_cuda():
        result = ganbench.run_trial(replace(trial, device="cuda", components=components, plugin_files=files))
    assert result.status == "error" and "same device" in result.reason


def test_a_monitored_loop_of_someone_else_stays_on_the_device():
    def train(device: str) -> list[torch.Tensor]:
        torch.manual_seed(0)
        g = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2)).to(device)
        d = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1)).to(device)
        optimizers = [torch.optim.Adam(network.parameters(), 1e-3) for network in (d, g)]
        real = torch.randn(512, 2).to(device)
        monitor = ganbench.Monitor(g, d, real=real, budget=60)
        for _ in range(60):
            x, fake = real[torch.randint(512, (32,), device=device)], g(torch.randn(32, 4, device=device))
            for optimizer, loss in (
                (
                    optimizers[0],
                    lambda f, x=x: (nn.functional.softplus(-d(x)) + nn.functional.softplus(d(f.detach()))).mean(),
                ),
                (optimizers[1], lambda f: nn.functional.softplus(-d(f)).mean()),
            ):
                optimizer.zero_grad()
                loss(fake).backward()
                optimizer.step()
            monitor.step()
        assert monitor.muted is None, monitor.muted
        return [weight.detach().cpu() for weight in (*g.parameters(), *d.parameters())]

    with fake_cuda():
        there = train("cuda")
    assert all(torch.equal(a, b) for a, b in zip(train("cpu"), there, strict=True))
