"""Losses and regularizers agree with numbers worked out by hand, and their gradients point the right way."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from ganbench import Batch, input_gradient
from ganbench.contract.records import ComponentRef
from ganbench.registry.registry import load_registry

LOSSES = ["minimax", "non-saturating", "least-squares", "hinge", "wasserstein", "relativistic"]


def build(kind, name, **options):
    return load_registry().build(kind, ComponentRef(name, options))


def identity(batch: Batch) -> torch.Tensor:
    return batch.x.squeeze(1)


def batch(*values: float) -> Batch:
    return Batch(torch.tensor(values).unsqueeze(1))


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


R, F = 0.5, -1.5  # logits of real and generated
BY_HAND = {
    "minimax": (softplus(-R) + softplus(F), -softplus(F)),
    "non-saturating": (softplus(-R) + softplus(F), softplus(-F)),
    "least-squares": (((R - 1) ** 2 + F**2) / 2, (F - 1) ** 2 / 2),
    "hinge": (max(0, 1 - R) + max(0, 1 + F), -F),
    "wasserstein": (F - R, -F),
    "relativistic": (softplus(F - R), softplus(R - F)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_agree_with_their_formulas(name):
    loss = build("loss", name)
    assert float(loss.discriminator(identity, batch(R), batch(F))) == pytest.approx(BY_HAND[name][0], rel=1e-5)
    assert float(loss.generator(identity, batch(R), batch(F))) == pytest.approx(BY_HAND[name][1], rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_leads_g_towards_higher_logits_and_stays_finite(name):
    loss = build("loss", name)
    for logit in (-1e4, -2.0, 0.0):
        fake = torch.tensor([[logit]], requires_grad=True)
        value = loss.generator(identity, batch(0.5), Batch(fake))
        value.backward()
        assert torch.isfinite(value) and torch.isfinite(fake.grad).all()
        assert fake.grad <= 0  # a lower loss is a higher logit
        assert logit == -1e4 or fake.grad < 0


def test_only_the_original_loss_saturates():
    def slope(name: str) -> float:
        fake = torch.tensor([[-12.0]], requires_grad=True)
        build("loss", name).generator(identity, batch(3.0), Batch(fake)).backward()
        return abs(float(fake.grad))

    assert slope("minimax") < 1e-5
    assert all(slope(name) > 0.5 for name in LOSSES if name != "minimax")


@pytest.mark.parametrize("name", LOSSES)
def test_probabilities_at_equilibrium_are_one_half(name):
    logits = torch.full((4,), 0.5 if name == "least-squares" else 0.0)
    assert all(torch.allclose(p, torch.full((4,), 0.5)) for p in build("loss", name).probabilities(logits, logits))


def linear(weight: float):
    """A linear D whose gradient is `weight` everywhere."""
    layer = nn.Linear(2, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[weight, 0.0]]))
    return layer, lambda b: layer(b.x).squeeze(1)


@pytest.mark.parametrize(
    "name, options, expected",
    [
        ("r1", {"weight": 2.0}, 9.0),
        ("r2", {"weight": 2.0}, 9.0),
        ("gradient-penalty", {"weight": 10.0}, 40.0),
        ("dragan", {"weight": 10.0}, 40.0),
    ],
)
def test_penalties_of_a_linear_d_agree_with_theory_and_train_it(name, options, expected):
    layer, d = linear(3.0)
    penalty = build("regularizer", name, **options).penalty(d, Batch(torch.randn(8, 2)), Batch(torch.randn(8, 2)))
    assert float(penalty.detach()) == pytest.approx(expected, rel=1e-5)
    penalty.backward()
    assert layer.weight.grad[0, 0] > 0  # a second-order gradient that flattens D


@pytest.mark.parametrize("name, zero_at", [("r1", 0.0), ("r2", 0.0), ("gradient-penalty", 1.0), ("dragan", 1.0)])
def test_penalties_are_zero_where_theory_says_so(name, zero_at):
    _, d = linear(zero_at)
    penalty = build("regularizer", name).penalty(d, Batch(torch.randn(8, 2)), Batch(torch.randn(8, 2)))
    assert float(penalty.detach()) == pytest.approx(0.0, abs=1e-6)


def test_r1_is_taken_at_real_samples_and_r2_at_generated_ones():
    def square(b: Batch) -> torch.Tensor:
        return b.x.square().sum(1) / 2  # its gradient at x is x

    real, fake = Batch(torch.full((4, 2), 1.0)), Batch(torch.full((4, 2), 3.0))
    assert float(build("regularizer", "r1", weight=2.0).penalty(square, real, fake).detach()) == pytest.approx(2.0)
    assert float(build("regularizer", "r2", weight=2.0).penalty(square, real, fake).detach()) == pytest.approx(18.0)


def test_the_input_gradient_is_taken_sample_by_sample():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    gradient = input_gradient(lambda b: b.x.square().sum(1), Batch(x))
    assert torch.equal(gradient.detach(), 2 * x)
    assert x.requires_grad is False
