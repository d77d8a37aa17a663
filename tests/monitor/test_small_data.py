"""Data of which hardly anything can be measured: nothing dies, and the loop goes on."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

import ganbench

BLACK = torch.full((200, 1, 28, 28), -1.0)


@pytest.mark.parametrize(
    "real",
    [
        pytest.param(BLACK, id="equal rows"),
        pytest.param(BLACK * torch.tensor([1.0, -1.0]).repeat(100)[:, None, None, None], id="two pictures"),
        pytest.param(torch.rand(9, 1, 28, 28), id="nine rows"),
    ],
)
def test_a_loop_on_pictures_that_show_next_to_nothing_goes_on(real):
    torch.manual_seed(0)
    g = nn.Sequential(nn.Linear(8, 49), nn.Unflatten(1, (1, 7, 7)), nn.Upsample(size=(28, 28)), nn.Tanh())
    d = nn.Sequential(nn.Conv2d(1, 4, 4, 4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 49, 1))
    optimizer_g, optimizer_d = (torch.optim.Adam(network.parameters(), 2e-3) for network in (g, d))
    monitor = ganbench.Monitor(g, d, real=real, budget=40)
    for _ in range(40):
        fake, some = g(torch.randn(8, 8)), real[torch.randint(len(real), (8,))]
        optimizer_d.zero_grad()
        (softplus(-d(some)).mean() + softplus(d(fake.detach())).mean()).backward()
        optimizer_d.step()
        optimizer_g.zero_grad()
        softplus(-d(fake)).mean().backward()
        optimizer_g.step()
        monitor.step()
    assert monitor.muted is None
    assert not any("unknown" in finding.summary or "nan" in finding.summary for finding in monitor.findings)


@pytest.mark.parametrize(
    "n, said", [(1, "it has 1 sample, and"), (9, "it has 9 samples, and fewer than 16 show little")]
)
def test_a_source_that_is_too_small_is_said_to_be_so(n, said, gan, issued_warnings):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real[:n], budget=40)
    gan.train(monitor, 40)
    assert monitor.muted is None and len(issued_warnings()) == 1 and said in monitor.notes[0]
