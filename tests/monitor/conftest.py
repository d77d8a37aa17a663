"""A ring of eight Gaussians, small networks and the usual training loop, for monitors to observe."""

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
    """A generator, a discriminator and real samples.

    `gan.step()` is one step of the usual loop and returns both losses; `gan.train(monitor, steps)` calls it and the
    monitor.
    """
    torch.manual_seed(0)
    gan = SimpleNamespace(g=mlp(LATENT, 2), d=mlp(2, 1), real=ring(), batch=BATCH)
    optimizers: dict = {}

    def step(*, g=None, d=None, real=lambda x: x, fake=lambda x: x, sign=1.0, lr_g=1e-3, lr_d=1e-3):
        net_g, net_d = g or gan.g, d or gan.d
        if not optimizers:
            optimizers.update(
                g=torch.optim.Adam(net_g.parameters(), lr_g), d=torch.optim.Adam(net_d.parameters(), lr_d)
            )
        x = real(gan.real[torch.randint(len(gan.real), (gan.batch,))])
        samples = fake(net_g(torch.randn(gan.batch, LATENT)))
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

    def train(monitor, steps=40, **options):
        for _ in range(steps):
            monitor.step(*step(**options))

    gan.step, gan.train = step, train
    return gan


@pytest.fixture
def issued_warnings():
    """Returns the warnings of the monitor so far, as lines; they do not end the loop."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield lambda: [str(warning.message) for warning in caught if "ganbench" in str(warning.message)]
