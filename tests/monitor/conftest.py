"""A ring, small networks and the usual loop, for monitors to watch."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

BATCH, LATENT = 32, 4


def ring(n=512):
    angle = torch.randint(8, (n,)) * torch.pi / 4
    return torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(n, 2)


def mlp(inputs, outputs, *last, width=16):
    return nn.Sequential(nn.Linear(inputs, width), nn.LeakyReLU(0.2), nn.Linear(width, outputs), *last)


@pytest.fixture
def gan():
    """A generator, a discriminator, and real samples; and `step`, one step of the loop that most people write."""
    torch.manual_seed(0)
    made = SimpleNamespace(g=mlp(LATENT, 2), d=mlp(2, 1), real=ring(), batch=BATCH)
    optimizers: dict = {}

    def step(*, g=None, d=None, real=lambda x: x, fake=lambda x: x, sign=1.0, lr_g=1e-3, lr_d=1e-3):
        net_g, net_d = g or made.g, d or made.d
        if not optimizers:
            optimizers.update(
                g=torch.optim.Adam(net_g.parameters(), lr_g), d=torch.optim.Adam(net_d.parameters(), lr_d)
            )
        x = real(made.real[torch.randint(len(made.real), (made.batch,))])
        samples = fake(net_g(torch.randn(made.batch, LATENT)))
        losses = []
        for name in ("d", "g"):
            if name == "d":
                loss = softplus(-sign * net_d(x)).mean() + softplus(sign * net_d(samples.detach())).mean()
            else:
                loss = softplus(-sign * net_d(samples)).mean()
            optimizers[name].zero_grad()
            loss.backward()
            optimizers[name].step()
            losses.append(float(loss.detach()))
        return losses

    made.step = step
    return made


@pytest.fixture
def heard():
    """The warnings of a loop, as lines; they must not end it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield lambda: [str(warning.message) for warning in caught if "ganbench" in str(warning.message)]
