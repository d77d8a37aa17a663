"""The signals that a monitor measures in a loop have the values that their definitions give."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

import ganbench


class Sum(nn.Module):
    """D whose logit rises by `slope` with each coordinate."""

    def __init__(self, slope):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def forward(self, x):
        return self.slope * x.sum(1, keepdim=True)


class Shift(nn.Module):
    """G that returns standard normal points about `centre`."""

    def __init__(self, centre):
        super().__init__()
        self.centre = nn.Parameter(torch.full((2,), centre))

    def forward(self, z):
        return z + self.centre


def train_g(g, d, pieces=1, scale=1.0, batch=64):
    """A step of G on -log D far below zero, where its gradient is `slope` in each coordinate; and D's calls."""
    d(torch.randn(batch, 2))
    d(g(torch.randn(batch, 2)).detach())
    for _ in range(pieces):
        (scale * softplus(-d(g(torch.randn(batch, 2)))).mean() / pieces).backward()


def column(monitor, name):
    return monitor.history().columns[name]


REAL = torch.randn(2000, 2, generator=torch.Generator().manual_seed(1))


GRADIENT = 2.0 * math.sqrt(2) / float(REAL.std())


@pytest.mark.parametrize("pieces", [1, 4])
def test_the_input_gradient_is_that_of_one_step_of_g_whatever_its_number_of_batches(pieces):
    g, d = Shift(-20.0), Sum(2.0)
    monitor = ganbench.Monitor(g, d, real=REAL, budget=10)
    for _ in range(10):
        train_g(g, d, pieces)
        monitor.step()
    assert column(monitor, "input_gradient")[-1] == pytest.approx(GRADIENT, rel=1e-3)


def test_the_input_gradient_is_a_mean_over_several_steps_of_g():
    g, d = Shift(-20.0), Sum(2.0)
    optimizer = torch.optim.SGD(g.parameters(), 1e-6)
    monitor = ganbench.Monitor(g, d, real=REAL, budget=10)
    for _ in range(10):
        for _ in range(3):
            train_g(g, d)
            optimizer.step()
        monitor.step()
    assert column(monitor, "input_gradient")[-1] == pytest.approx(GRADIENT, rel=1e-3)


def test_the_scale_of_the_loss_is_divided_out_and_unknown_without_the_scaler(issued_warnings):
    for scaler in (torch.amp.GradScaler("cpu", init_scale=1024.0), None):
        g, d = Shift(-20.0), Sum(2.0)
        monitor = ganbench.Monitor(g, d, real=REAL, budget=10, scaler=scaler)
        for _ in range(10):
            if scaler is not None:
                scaler.scale(torch.zeros(()))  # a scaler sets its scale when it is first used
            with torch.autocast("cpu", torch.float16):
                train_g(g, d, scale=1024.0)
            monitor.step()
        measured = column(monitor, "input_gradient")[-1]
        assert math.isnan(measured) if scaler is None else measured == pytest.approx(GRADIENT, rel=0.01)


def test_gradients_of_the_discriminators_loss_are_not_taken_for_those_of_the_generators():
    """A loop that does not detach: D's own step sends a gradient to the samples as well."""
    g, d = Shift(-20.0), Sum(2.0)
    monitor = ganbench.Monitor(g, d, real=REAL, budget=10)
    for _ in range(10):
        (softplus(-d(torch.randn(64, 2))).mean() + softplus(d(g(torch.randn(64, 2))) + 80).mean()).backward()
        train_g(g, d)
        monitor.step()
    assert np.isnan(column(monitor, "input_gradient")).all()
    assert np.isfinite(column(monitor, "auc_d")).all()


def test_logits_are_found_in_outputs_of_many_forms(gan):
    returned = {
        "logits": lambda h: h,
        "flat": lambda h: h.squeeze(1),
        "tuple": lambda h: (h.expand(-1, 7), h),
        "dict": lambda h: {"features": [h.expand(-1, 3)], "logits": h},
        "patches": lambda h: h[:, :, None, None].expand(-1, 1, 2, 2),
        "scales": lambda h: [h[:, :, None, None].expand(-1, 1, n, n) for n in (2, 4)],
    }
    for name, shape in returned.items():
        g, d = Shift(-1.0), Sum(2.0)
        d.register_forward_hook(lambda module, args, output, shape=shape: shape(output))
        monitor = ganbench.Monitor(g, d, real=REAL, budget=10)
        for _ in range(10):
            d(torch.randn(64, 2))
            d(g(torch.randn(64, 2)))
            monitor.step()
        known = 0.5 * (1 + math.erf(1 / math.sqrt(2)))
        assert column(monitor, "auc_d")[-1] == pytest.approx(known, abs=0.08), name
        assert monitor.muted is None


def test_logits_are_extracted_by_a_function(gan):
    gan.d.register_forward_hook(lambda module, args, output: torch.cat([output, -output], 1))
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=10, logits=lambda output: output[:, 0])
    for _ in range(10):
        gan.d(gan.g(torch.randn(32, 4)))
        monitor.step()
    assert monitor.muted is None and 0 <= column(monitor, "auc_d")[-1] <= 1


def test_probabilities_are_converted_to_logits_with_a_note(gan, issued_warnings):
    """The history holds logits, not their sigmoids."""
    g, d = Shift(-1.0), nn.Sequential(Sum(2.0), nn.Sigmoid())
    monitor = ganbench.Monitor(g, d, real=REAL, budget=10)
    for _ in range(10):
        d(torch.randn(64, 2)), d(g(torch.randn(64, 2)))
        monitor.step()
    assert column(monitor, "logit_max")[-1] > 3
    assert "probabilities" in monitor.notes[0] and len(issued_warnings()) == 1


def test_logits_of_the_opposite_sign_are_negated_with_a_note(gan, issued_warnings):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=60)
    gan.train(monitor, 60, sign=-1.0, lr_d=1e-2, lr_g=1e-4)
    assert column(monitor, "auc_d")[-1] > 0.7
    assert ["opposite sign" in note for note in monitor.notes] == [True]


def test_the_logits_of_a_discriminator_that_is_wrong_are_not_negated(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=60)
    gan.train(monitor, 60, lr_d=0.0, lr_g=1e-2)
    assert column(monitor, "auc_d")[-1] < 0.4 and monitor.notes == ()


def test_losses_are_in_the_history_if_they_are_passed(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20)
    losses = [gan.step() for _ in range(20) if monitor.step() is None]
    assert np.isnan(column(monitor, "loss_d")).all() and len(losses) == 20
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20)
    for _ in range(20):
        loss_d, loss_g = gan.step()
        monitor.step(loss_d=torch.tensor(loss_d), loss_g=loss_g)
    assert column(monitor, "loss_d")[-1] == pytest.approx(loss_d) and column(monitor, "loss_g")[-1] == pytest.approx(
        loss_g
    )


def test_memorization_is_measured_only_with_held_out_data(gan):
    for held_out in (None, torch.randn(400, 2)):
        monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, held_out=held_out, budget=20)
        gan.train(monitor, 20)
        for name in ("auc_d_train", "memory_gap"):
            if name in monitor.history().columns:
                assert np.isfinite(column(monitor, name)[-1]) == (held_out is not None), name


def test_probes_evaluate_the_running_average(gan):
    average = copy.deepcopy(gan.g)
    with torch.no_grad():
        average[-1].bias += 50.0
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20, average=average)
    gan.train(monitor, 20)
    assert column(monitor, "coverage")[-1] == 0 and column(monitor, "fresh_critic_auc")[-1] > 0.99
