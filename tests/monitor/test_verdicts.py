"""Plain PyTorch loops that fail in a known way are diagnosed with that failure; a loop that goes well with none."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

import ganbench

LATENT, BATCH = 4, 128


def ring(n):
    angle = torch.randint(8, (n,)) * torch.pi / 4
    return torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(n, 2)


def mlp(inputs, outputs, width=64):
    return nn.Sequential(
        nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs)
    )


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def failures(monitor):
    assert monitor.muted is None
    return {f.diagnosis for f in monitor.findings if f.severity == "failure" and f.horizon == "now"}


def non_saturating(steps, lr_g, lr_d, change_loss=lambda step, loss: loss, may_stop=False, generator=None, **options):
    """The usual loop; with `may_stop`, it ends when the monitor says so."""
    g, d, real = generator or mlp(LATENT, 2), mlp(2, 1), ring(2000)
    optimizer_g, optimizer_d = (torch.optim.Adam(m.parameters(), lr, (0.0, 0.9)) for m, lr in ((g, lr_g), (d, lr_d)))
    monitor = ganbench.Monitor(g, d, real=real, budget=steps, **options)
    for step in range(steps):
        fake = g(torch.randn(BATCH, LATENT))
        loss_d = softplus(-d(real[torch.randint(2000, (BATCH,))])).mean() + softplus(d(fake.detach())).mean()
        optimizer_d.zero_grad()
        change_loss(step, loss_d).backward()
        optimizer_d.step()
        loss_g = softplus(-d(fake)).mean()
        optimizer_g.zero_grad()
        loss_g.backward()
        optimizer_g.step()
        monitor.step(loss_d, loss_g)
        if may_stop and monitor.should_stop:
            break
    return monitor


def test_a_frozen_discriminator_is_weak_and_the_loop_should_stop():
    reported = []
    monitor = non_saturating(400, lr_g=1e-3, lr_d=0.0, may_stop=True, on_finding=reported.append)
    assert "weak-discriminator" in failures(monitor) and monitor.should_stop
    assert monitor.history().columns["step"][-1] < 400, "the rest of the budget is saved"
    keys = [(f.diagnosis, f.horizon, f.severity) for f in reported]
    assert len(keys) == len(set(keys)) and ("weak-discriminator", "now", "failure") in keys


class Quadrant(nn.Module):
    """G that can reach three of the eight modes."""

    def __init__(self):
        super().__init__()
        self.net = mlp(LATENT, 2)

    def forward(self, z):
        return self.net(z).abs()


def test_a_generator_that_cannot_reach_every_mode_has_mode_collapse():
    monitor = non_saturating(400, lr_g=1e-3, lr_d=1e-3, generator=Quadrant())
    columns = monitor.history().columns
    assert 0.2 < columns["coverage"][-1] < 0.8
    assert "mode-collapse" in failures(monitor)


def test_nan_weights_are_a_divergence_and_are_located():
    monitor = non_saturating(100, 1e-3, 1e-3, change_loss=lambda step, loss: loss * (math.nan if step == 34 else 1.0))
    assert "divergence" in failures(monitor)
    (finding,) = [f for f in monitor.findings if f.diagnosis == "divergence"]
    assert finding.onset_step == 40 and finding.confidence == 1.0 and monitor.should_stop
    assert monitor.history().nonfinite.player == "discriminator" and "0.weight" in finding.summary


class Far(nn.Module):
    """G whose samples start six data widths away."""

    def __init__(self):
        super().__init__()
        self.net = mlp(LATENT, 2)

    def forward(self, z):
        return self.net(z) + 6


def test_a_discriminator_trained_ahead_of_a_saturating_generator_overpowers_it():
    g, d, real = Far(), mlp(2, 1), ring(2000)
    optimizer_d = torch.optim.Adam(d.parameters(), 1e-2, (0.0, 0.9))
    optimizer_g = torch.optim.SGD(g.parameters(), 1e-2, momentum=0.9)

    def train_d():
        with torch.no_grad():
            fake = g(torch.randn(BATCH, LATENT))
        loss = softplus(-d(real[torch.randint(2000, (BATCH,))])).mean() + softplus(d(fake)).mean()
        optimizer_d.zero_grad()
        loss.backward()
        optimizer_d.step()

    for _ in range(500):
        train_d()
    monitor = ganbench.Monitor(g, d, real=real, budget=200)
    for _ in range(200):
        train_d()
        loss = -softplus(d(g(torch.randn(BATCH, LATENT)))).mean()  # log(1 - D(G(z))), to be minimized
        optimizer_g.zero_grad()
        loss.backward()
        optimizer_g.step()
        monitor.step()
    columns = monitor.history().columns
    assert columns["auc_d"][-1] > 0.98 and columns["input_gradient"][-1] < 1e-3
    assert "overpowering-discriminator" in failures(monitor)
    assert "weak-discriminator" not in failures(monitor)


def test_a_loop_that_goes_well_has_no_failures():
    """Relativistic pairing with R1 and R2 (Huang et al. 2024), with a running average that is evaluated."""
    steps = 600
    g, d, real = mlp(LATENT, 2), mlp(2, 1), ring(4000)
    average = torch.optim.swa_utils.AveragedModel(g, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99))
    optimizers = [torch.optim.Adam(m.parameters(), 2e-3, (0.0, 0.9)) for m in (g, d)]
    slower = [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps) for optimizer in optimizers]
    monitor = ganbench.Monitor(g, d, real=real, budget=steps, average=average)
    for _ in range(steps):
        x = real[torch.randint(4000, (BATCH,))].requires_grad_()
        fake = g(torch.randn(BATCH, LATENT)).detach().requires_grad_()
        on_real, on_fake = d(x), d(fake)
        slopes = torch.autograd.grad((on_real + on_fake).sum(), (x, fake), create_graph=True)
        penalty = sum(slope.square().sum(1).mean() for slope in slopes)
        optimizers[1].zero_grad()
        (softplus(on_fake - on_real).mean() + 0.1 / 2 * penalty).backward()
        optimizers[1].step()
        optimizers[0].zero_grad()
        softplus(d(x.detach()) - d(g(torch.randn(BATCH, LATENT)))).mean().backward()
        optimizers[0].step()
        average.update_parameters(g)
        for scheduler in slower:
            scheduler.step()
        monitor.step()
    assert failures(monitor) == set()
