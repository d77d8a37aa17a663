"""The numbers that a monitor takes from a loop are those that their definitions say."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import softplus
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import ganbench
from ganbench.monitor.noise import prior_of


class Sum(nn.Module):
    """D whose logit rises by `slope` with each coordinate."""

    def __init__(self, slope):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def forward(self, x):
        return self.slope * x.sum(1, keepdim=True)


class Shift(nn.Module):
    """G that makes standard normal points about `centre`."""

    def __init__(self, centre):
        super().__init__()
        self.centre = nn.Parameter(torch.full((2,), centre))

    def forward(self, z):
        return z + self.centre


def turn_of_g(g, d, pieces=1, scale=1.0, batch=64):
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
def test_the_gradient_that_reaches_g_is_that_of_one_step_however_many_batches_it_has(pieces):
    g, d = Shift(-20.0), Sum(2.0)
    monitor = ganbench.Monitor(g, d, real=REAL, budget=10)
    for _ in range(10):
        turn_of_g(g, d, pieces)
        monitor.step()
    assert column(monitor, "input_gradient")[-1] == pytest.approx(GRADIENT, rel=1e-3)


def test_the_gradient_is_a_mean_over_the_steps_that_g_takes_in_one_of_the_loop():
    g, d = Shift(-20.0), Sum(2.0)
    optimizer = torch.optim.SGD(g.parameters(), 1e-6)
    monitor = ganbench.Monitor(g, d, real=REAL, budget=10)
    for _ in range(10):
        for _ in range(3):
            turn_of_g(g, d)
            optimizer.step()
        monitor.step()
    assert column(monitor, "input_gradient")[-1] == pytest.approx(GRADIENT, rel=1e-3)


def test_a_scalers_factor_is_divided_out_and_unknown_where_the_scaler_is_not_handed_over(heard):
    for scaler in (torch.amp.GradScaler("cpu", init_scale=1024.0), None):
        g, d = Shift(-20.0), Sum(2.0)
        monitor = ganbench.Monitor(g, d, real=REAL, budget=10, scaler=scaler)
        for _ in range(10):
            if scaler is not None:
                scaler.scale(torch.zeros(()))  # a scaler makes its factor when it is first used
            with torch.autocast("cpu", torch.float16):
                turn_of_g(g, d, scale=1024.0)
            monitor.step()
        measured = column(monitor, "input_gradient")[-1]
        assert math.isnan(measured) if scaler is None else measured == pytest.approx(GRADIENT, rel=0.01)


def test_gradients_of_d_are_not_taken_for_those_of_g():
    """A loop that does not detach: D's own step sends a gradient to the samples as well."""
    g, d = Shift(-20.0), Sum(2.0)
    monitor = ganbench.Monitor(g, d, real=REAL, budget=10)
    for _ in range(10):
        (softplus(-d(torch.randn(64, 2))).mean() + softplus(d(g(torch.randn(64, 2))) + 80).mean()).backward()
        turn_of_g(g, d)
        monitor.step()
    assert np.isnan(column(monitor, "input_gradient")).all()
    assert np.isfinite(column(monitor, "auc_d")).all()


def test_auc_is_that_of_the_discriminator_whatever_its_output_looks_like(gan):
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


def test_logits_can_be_pointed_to(gan):
    gan.d.register_forward_hook(lambda module, args, output: torch.cat([output, -output], 1))
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=10, logits=lambda output: output[:, 0])
    for _ in range(10):
        gan.d(gan.g(torch.randn(32, 4)))
        monitor.step()
    assert monitor.muted is None and 0 <= column(monitor, "auc_d")[-1] <= 1


def test_probabilities_are_read_as_such_and_said_to_be(gan, heard):
    """Their logits, not their sigmoids, are in the history; and AUC is not lost where they are all but 1."""
    g, d = Shift(-1.0), nn.Sequential(Sum(2.0), nn.Sigmoid())
    monitor = ganbench.Monitor(g, d, real=REAL, budget=10)
    for _ in range(10):
        turn = d(torch.randn(64, 2)), d(g(torch.randn(64, 2)))
        monitor.step()
    assert len(turn) == 2 and column(monitor, "logit_max")[-1] > 3
    assert "probabilities" in monitor.notes[0] and len(heard()) == 1


def test_a_wrong_sign_is_told_from_what_g_is_trained_to(gan, heard):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=60)
    for _ in range(60):
        gan.step(sign=-1.0, lr_d=1e-2, lr_g=1e-4)
        monitor.step()
    assert column(monitor, "auc_d")[-1] > 0.7
    assert ["wrong sign" in note for note in monitor.notes] == [True]


def test_a_beaten_discriminator_is_not_taken_for_one_of_the_wrong_sign(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=60)
    for _ in range(60):
        gan.step(lr_d=0.0, lr_g=1e-2)
        monitor.step()
    assert column(monitor, "auc_d")[-1] < 0.4 and monitor.notes == ()


def test_losses_are_in_the_history_where_they_are_handed_over(gan):
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


def test_what_d_memorized_is_measured_only_with_data_that_is_held_out(gan):
    for held_out in (None, torch.randn(400, 2)):
        monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, held_out=held_out, budget=20)
        for _ in range(20):
            gan.step()
            monitor.step()
        for name in ("auc_d_train", "memory_gap"):
            if name in monitor.history().columns:
                assert np.isfinite(column(monitor, name)[-1]) == (held_out is not None), name


class Stream(IterableDataset):
    def __iter__(self):
        raise AssertionError("the loop's data was asked for")


def loaders(x):
    labels = torch.arange(len(x)) % 10
    return {
        "tensor": x,
        "array": x.numpy(),
        "tensors": (x, labels),
        "data set": TensorDataset(x, labels),
        "loader": DataLoader(TensorDataset(labels, x), 16, shuffle=True),
        "persistent": DataLoader(TensorDataset(x), 16, num_workers=1, persistent_workers=True),
        "batches": list(x.split(50)),
        "batches, some empty": [x[:0], *x.split(50), x[:0]],
        "dicts": [{"name": ["a"] * len(part), "image": part} for part in x.split(50)],
    }


@pytest.mark.parametrize("kind", loaders(torch.zeros(2, 2)))
def test_real_samples_are_read_from(kind, gan, heard):
    monitor = ganbench.Monitor(gan.g, gan.d, real=loaders(gan.real)[kind], budget=10)
    for _ in range(10):
        gan.step()
        monitor.step()
    pool = torch.cat([part.columns[0] for part in (monitor._reals.seen, monitor._reals.held_out)])
    assert sorted(pool.tolist()) == sorted(gan.real.tolist())
    assert heard() == []


@pytest.mark.parametrize(
    "kind, source",
    {
        "iterator": iter([]),
        "generator": (x for x in []),
        "stream": DataLoader(Stream()),
        "empty": DataLoader(TensorDataset(torch.zeros(0, 2)), 4),
        "empty batches": [torch.zeros(0, 2)] * 3,
        "other shape": torch.zeros(100, 3),
        "other range": torch.full((100, 2), 7.0),
        "text": ["a", "b"],
        "number": 3,
        "nothing": None,
    }.items(),
)
def test_real_samples_are_met_in_the_loop_where_there_is_nothing_to_read(kind, source, gan, heard):
    monitor = ganbench.Monitor(gan.g, gan.d, real=source, budget=30)
    for _ in range(30):
        gan.step()
        monitor.step()
    pool = torch.cat([part.columns[0] for part in (monitor._reals.seen, monitor._reals.held_out)])
    known = {tuple(row) for row in gan.real.tolist()}
    assert len(pool) >= 128 and all(tuple(row) in known for row in pool.tolist())
    assert monitor.muted is None and len(monitor.findings) >= 0
    assert len(heard()) == (0 if source is None else 1)


def test_real_and_generated_samples_in_one_batch_are_told_apart(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, budget=30)
    for _ in range(30):
        gan.d(torch.cat([gan.real[torch.randint(512, (32,))], gan.g(torch.randn(32, 4)).detach()]))
        monitor.step()
    known = {tuple(row) for row in gan.real.tolist()}
    assert all(tuple(row) in known for row in monitor._reals.seen.columns[0].tolist())


def test_priors_are_told_from_what_was_drawn():
    g = torch.Generator().manual_seed(0)
    z = torch.randn(300, 8, generator=g)
    assert prior_of(z) == "normal"
    assert prior_of(z[:40, :2]) == "normal"
    assert prior_of(torch.rand(300, 8, generator=g) * 2 - 1) == "uniform"
    assert prior_of(torch.rand(300, 8, 1, 1, generator=g)) == "unit"
    others = {
        "wide": 2 * z,
        "cut": z.clamp(-1, 1),
        "on a sphere": z / z.norm(dim=1, keepdim=True) * math.sqrt(8),
        "of a codebook": z[torch.randint(16, (300,), generator=g)],
        "labels": torch.randint(5, (300,), generator=g),
        "one-hot": torch.eye(8).repeat(40, 1),
    }
    assert {name: prior_of(column) for name, column in others.items()} == dict.fromkeys(others)


def test_conditions_go_with_their_samples():
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
    assert column(monitor, "logit_max")[-1] < 10  # a label that is not a sample's own would give some 10 or more


def test_the_average_is_what_is_judged(gan):
    average = copy.deepcopy(gan.g)
    with torch.no_grad():
        average[-1].bias += 50.0
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20, average=average)
    for _ in range(20):
        gan.step()
        monitor.step()
    assert column(monitor, "coverage")[-1] == 0 and column(monitor, "fresh_critic_auc")[-1] > 0.99


def test_between_observations_no_hook_is_there(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=200)
    hooked = []
    for step in range(1, 201):
        if gan.g._forward_hooks or gan.d._forward_pre_hooks:
            hooked.append(step)
        gan.step()
        monitor.step()
    steps = [int(step) for step in column(monitor, "step")]
    assert hooked == [1, *steps] and len(steps) <= 20


def test_probes_stand_at_their_fractions_of_the_budget(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=200)
    for _ in range(200):
        gan.step()
        monitor.step()
    probed = column(monitor, "step")[np.isfinite(column(monitor, "coverage"))]
    assert {20, 50, 100, 150, 200} <= set(probed.tolist())


def test_diagnoses_are_made_at_probes_where_they_were_measured(gan, monkeypatch):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=400)
    diagnosed = []
    monkeypatch.setattr("ganbench.monitor.monitor.apply_diagnoses", lambda *_: diagnosed.append(monitor._steps) or ())
    for _ in range(400):
        gan.step()
        monitor.step()
    assert diagnosed == [20, 40, 100, 200, 300, 400]
    assert len(monitor.history().columns["step"]) == 20


def test_real_samples_under_a_penalty_are_met_and_interpolations_are_not(gan):
    """R1 and R2 want gradients of every sample; WGAN-GP of samples between the two."""
    for between in (False, True):
        monitor = ganbench.Monitor(gan.g, gan.d, budget=30)
        for _ in range(30):
            x, fake = gan.real[torch.randint(512, (32,))], gan.g(torch.randn(32, 4)).detach()
            if between:
                gan.d(x), gan.d(fake), gan.d(x.lerp(fake, torch.rand(32, 1)).requires_grad_())
            else:
                gan.d(x.requires_grad_()), gan.d(fake.requires_grad_())
            gan.d(gan.g(torch.randn(32, 4)))
            monitor.step()
        known = {tuple(row) for row in gan.real.tolist()}
        assert len(monitor._reals.seen) > 64
        assert all(tuple(row) in known for row in monitor._reals.seen.columns[0].tolist())


class Counted(nn.Module):
    """G that is told how many samples to make."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, n, truncation=1.0):
        return self.net(truncation * torch.randn(n, 4))


@pytest.mark.parametrize("kind", ["parallel", "lazy", "a batch of one", "half precision", "told how many"])
def test_odd_loops_are_understood(kind, gan):
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
        g = Counted(g)
    monitor = ganbench.Monitor(g, d, real=gan.real, budget=30)
    for _ in range(30):
        fake = g(n, truncation=0.5) if kind == "told how many" else g(torch.randn(n, 4).to(dtype))
        x = gan.real[torch.randint(512, (n,))].to(dtype)
        (softplus(-d(x)) + softplus(d(fake.detach()))).mean().backward()
        softplus(-d(fake)).mean().backward()
        monitor.step()
    assert monitor.muted is None and monitor.notes == ()
    assert len(column(monitor, "step")) == 3 and np.isfinite(column(monitor, "input_gradient")).all()
