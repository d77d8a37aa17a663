"""Discriminators that judge several samples at a time, and networks with parts that are kept as they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

import ganbench

PACK, BATCH = 10, 40


class Packed(nn.Module):
    """D of rows of two values, one logit for every PACK of them."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2 * PACK, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))

    def forward(self, x):
        return self.net(x.reshape(-1, 2 * PACK))


class OnFeatures(nn.Module):
    """D on features that were learned elsewhere."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(2, 16), nn.ReLU()).requires_grad_(False).eval()
        self.head = nn.Linear(16, 1)

    def forward(self, x):
        return self.head(self.features(x))


def train(gan, d, steps=40, augment=lambda x: x, **options):
    optimizer_g, optimizer_d = (
        torch.optim.Adam([w for w in net.parameters() if w.requires_grad], 1e-3) for net in (gan.g, d)
    )
    monitor = ganbench.Monitor(gan.g, d, **{"real": gan.real, "budget": steps, "quiet": True} | options)
    for _ in range(steps):
        x, fake = gan.real[torch.randint(len(gan.real), (BATCH,))], augment(gan.g(torch.randn(BATCH, 4)))
        loss_d = softplus(-d(augment(x))).mean() + softplus(d(fake.detach())).mean()
        optimizer_d.zero_grad()
        loss_d.backward()
        optimizer_d.step()
        loss_g = softplus(-d(fake)).mean()
        optimizer_g.zero_grad()
        loss_g.backward()
        optimizer_g.step()
        monitor.step(loss_d, loss_g)
    return monitor


def wiring(monitor):
    return [finding.summary for finding in monitor.findings if finding.diagnosis == "wiring"]


def test_each_sample_of_a_pack_has_the_logit_of_its_pack(gan):
    monitor = train(gan, Packed())
    columns = monitor.history().columns
    assert monitor.muted is None and wiring(monitor) == []
    assert len(columns["step"]) == 4 and np.isfinite(columns["auc_d"]).all()
    assert np.isfinite(columns["input_gradient"]).all()


def test_features_that_were_learned_elsewhere_are_no_question(gan):
    d = OnFeatures()
    assert wiring(train(gan, d)) == []
    d.features.train()
    (question,) = wiring(train(gan, d))
    assert "require no gradient" in question


def test_real_samples_are_told_from_generated_ones_that_were_changed_and_detached(gan):
    """Both are given to D in another form than G's, and one of them comes back in G's own step."""
    monitor = train(gan, nn.Linear(2, 1), augment=lambda x: x * torch.tensor([1.0, -1.0]), real=None)
    assert monitor.muted is None and len(monitor.history().columns["step"]) > 0


@pytest.mark.parametrize("bad", [-1, 40, 1.5, True])
def test_a_start_that_cannot_be_is_refused(gan, bad):
    with pytest.raises(ValueError, match="adversarial_from is"):
        ganbench.Monitor(gan.g, gan.d, budget=40, adversarial_from=bad)


def test_what_comes_before_the_adversarial_term_is_not_observed_and_what_comes_after_is_watched(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=100, adversarial_from=30, quiet=True)
    optimizer_g, optimizer_d = (torch.optim.Adam(net.parameters(), 1e-3) for net in (gan.g, gan.d))
    for step in range(60):
        fake = gan.g(torch.randn(32, 4))
        loss_g = fake.square().mean()
        if step >= 30:
            x = gan.real[torch.randint(len(gan.real), (32,))]
            optimizer_d.zero_grad()
            (softplus(-gan.d(x)) + softplus(gan.d(fake.detach()))).mean().backward()  # its optimizer never steps
            loss_g = loss_g + softplus(-gan.d(fake)).mean()
        optimizer_g.zero_grad()
        loss_g.backward()
        optimizer_g.step()
        monitor.step()
        if step < 30:
            assert not gan.g._forward_hooks or step == 29
    (summary,) = wiring(monitor)
    assert "D does not change while G learns" in summary
    assert monitor.history().columns["step"][0] > 30
    assert monitor.findings[0].onset_step == 50
