"""How a loop calls its networks is inferred from its calls: latents, conditions, wrappers, data types."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

import ganbench
from ganbench.monitor.generator_inputs import infer_prior


def column(monitor, name):
    return monitor.history().columns[name]


def test_priors_are_inferred_from_samples():
    g = torch.Generator().manual_seed(0)
    z = torch.randn(300, 8, generator=g)
    assert infer_prior(z) == "normal"
    assert infer_prior(z[:40, :2]) == "normal"
    assert infer_prior(torch.rand(300, 8, generator=g) * 2 - 1) == "uniform"
    assert infer_prior(torch.rand(300, 8, 1, 1, generator=g)) == "unit"
    others = {
        "wide": 2 * z,
        "cut": z.clamp(-1, 1),
        "on a sphere": z / z.norm(dim=1, keepdim=True) * math.sqrt(8),
        "of a codebook": z[torch.randint(16, (300,), generator=g)],
        "labels": torch.randint(5, (300,), generator=g),
        "one-hot": torch.eye(8).repeat(40, 1),
    }
    assert {name: infer_prior(column) for name, column in others.items()} == dict.fromkeys(others)


def test_conditions_stay_with_their_samples():
    """Points of class k lie about 10k; D says how far a point is from where its class should be."""

    class At(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, z, label):
            return self.weight * z + 10.0 * label[:, None]

    class Near(At):
        def forward(self, x, label):
            return -(self.weight * x - 10.0 * label[:, None]).abs().sum(1)

    g, d = At(), Near()
    label = torch.randint(4, (1000,))
    monitor = ganbench.Monitor(g, d, real=(torch.randn(1000, 2) + 10 * label[:, None], label), budget=10)
    for _ in range(10):
        rows, wanted = torch.randint(1000, (32,)), torch.randint(4, (32,))
        d(torch.randn(32, 2) + 10 * label[rows, None], label[rows])
        d(g(torch.randn(32, 2), wanted).detach(), wanted)
        monitor.step()
    assert column(monitor, "logit_max")[-1] < 10  # another sample's label would give 10 or more


class DrawsItsOwnLatents(nn.Module):
    """G whose argument is the number of samples."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, n, truncation=1.0):
        return self.net(truncation * torch.randn(n, 4))


@pytest.mark.parametrize("kind", ["parallel", "lazy", "a batch of one", "half precision", "number of samples"])
def test_unusual_loops_are_understood(kind, gan):
    g, d, n, dtype = gan.g, gan.d, 32, torch.float32
    if kind == "parallel":
        g, d = nn.DataParallel(g), nn.DataParallel(d)
    elif kind == "lazy":
        g = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(2))
    elif kind == "a batch of one":
        n = 1
    elif kind == "half precision":
        g, d, dtype = g.bfloat16(), d.bfloat16(), torch.bfloat16
    else:
        g = DrawsItsOwnLatents(g)
    monitor = ganbench.Monitor(g, d, real=gan.real, budget=30)
    for _ in range(30):
        fake = g(n, truncation=0.5) if kind == "number of samples" else g(torch.randn(n, 4).to(dtype))
        x = gan.real[torch.randint(512, (n,))].to(dtype)
        (softplus(-d(x)) + softplus(d(fake.detach()))).mean().backward()
        softplus(-d(fake)).mean().backward()
        monitor.step()
    assert monitor.muted is None and monitor.notes == ()
    assert len(column(monitor, "step")) == 3 and np.isfinite(column(monitor, "input_gradient")).all()
