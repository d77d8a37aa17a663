"""Update rules do what their papers say, on the bilinear game and in trials."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

import ganbench
from ganbench.contract.records import Batch, ComponentRef, DataSpec, Training
from ganbench.training.data import DeviceDataset
from ganbench.training.game import GAN

RULES = ["alternating", "extragradient", "optimistic", "simultaneous", {"name": "unrolled", "steps": 2}]
IDS = [rule if isinstance(rule, str) else rule["name"] for rule in RULES]


class Point(nn.Module):
    """G: one number, whatever the noise."""

    latent_dim = 1

    def __init__(self) -> None:
        super().__init__()
        self.y = nn.Parameter(torch.tensor(1.0))

    def forward(self, z, labels=None):
        return self.y.expand(len(z), 1)


class Slope(nn.Module):
    """D: a linear function without an offset."""

    def __init__(self) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.tensor(1.0))

    def forward(self, x, labels=None):
        return self.x * x.squeeze(1)


class Bilinear(ganbench.Loss):
    """D minimizes x y, and G maximizes it; the only equilibrium is at 0."""

    def discriminator(self, d, real, fake):
        return d(fake).mean()

    def generator(self, d, real, fake):
        return -d(fake).mean()


def bilinear(update, optimizer=None, **settings):
    optimizer = optimizer or ComponentRef("sgd", {"lr": 0.3})
    data = DeviceDataset(Batch(torch.zeros(4, 1)), DataSpec("points", (1,)), torch.device("cpu"))
    ref = ComponentRef(update) if isinstance(update, str) else update
    training = Training(200, 2, optimizer, optimizer, update=ref, **settings)
    return GAN(Point(), Slope(), Bilinear(), {}, data, training, seed=0)


def point(gan):
    return float(gan.discriminator.x.detach()), float(gan.generator.y.detach())


def distance(gan):
    return math.hypot(*point(gan))


def test_simultaneous_descent_leaves_the_equilibrium_as_its_theory_says():
    gan = bilinear("simultaneous")
    for _ in range(20):
        gan.step()
    assert distance(gan) == pytest.approx(math.sqrt(2) * (1 + 0.3**2) ** (20 / 2), rel=1e-4)


@pytest.mark.parametrize("update", ["extragradient", "optimistic"])
def test_extragradient_and_optimistic_descent_reach_it(update):
    gan = bilinear(update)
    for _ in range(200):
        gan.step()
    assert distance(gan) < 1e-2
    plain = bilinear("alternating")
    for _ in range(200):
        plain.step()
    assert distance(plain) > 0.5


def test_extragradient_is_the_step_of_the_gradient_ahead():
    gan = bilinear("extragradient")
    gan.step()
    # ahead: x = 1 - .3 * 1, y = 1 + .3 * 1; from (1, 1): x = 1 - .3 * 1.3, y = 1 + .3 * .7
    assert point(gan) == pytest.approx((1 - 0.3 * 1.3, 1 + 0.3 * 0.7))
    assert gan.d_updates == 1 and gan.steps_done == 1


def test_optimistic_descent_is_its_formula_for_sgd():
    gan = bilinear("optimistic")
    x = y = 1.0
    gradients_x, gradients_y = [], []
    for _ in range(4):
        gradients_x.append(y)
        x -= 0.3 * (gradients_x[-1] if len(gradients_x) == 1 else 2 * gradients_x[-1] - gradients_x[-2])
        gradients_y.append(-x)
        y -= 0.3 * (gradients_y[-1] if len(gradients_y) == 1 else 2 * gradients_y[-1] - gradients_y[-2])
        gan.step()
    assert point(gan) == pytest.approx((x, y), rel=1e-5)


def test_g_looks_through_the_unrolled_steps_of_d():
    gan = bilinear(ComponentRef("unrolled", {"steps": 2}))
    gan.step()
    x = 1 - 0.3  # D's own update
    # With two steps more D is x - .6 y: G maximizes (x - .6 y) y, whose derivative is x - 1.2 y.
    assert point(gan) == pytest.approx((x, 1 + 0.3 * (x - 1.2 * 1)))


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_what_is_unrolled_is_what_ds_optimizer_would_do(name):
    options = {"lr": 0.05, "weight_decay": 0.1, **({"momentum": 0.6} if name == "sgd" else {})}
    gan = bilinear(ComponentRef("unrolled", {"steps": 3}), ComponentRef(name, options))
    for _ in range(3):
        gan.train_discriminator()
    real = gan.real_batch()
    fake = Batch(torch.full((2, 1), 0.7))
    unrolled = gan.update._unroll(gan, real, fake)["x"]
    twin, optimizer = copy.deepcopy((gan.discriminator, gan.optimizer_d))
    optimizer.param_groups[0]["params"] = [twin.x]
    optimizer.state = {twin.x: optimizer.state[next(iter(optimizer.state))]}
    for _ in range(3):
        optimizer.zero_grad()
        (twin.x * 0.7).backward()
        optimizer.step()
    assert float(unrolled.detach()) == pytest.approx(float(twin.x.detach()), rel=1e-5)
    assert point(gan)[0] != float(twin.x.detach())


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_a_trial_trains_with_it_and_its_wiring_is_found_sound(rule, make_trial, run_here):
    more = {"accumulate": 2, "clip": 1.0, "ema": 0.9, "precision": "bf16"}
    trial = make_trial({"regularizers": ["r1"]}, update=rule, steps=24, observations=4, **more)
    result = run_here(trial)
    assert result.status == "done", result.reason
    assert result.artifacts.history.wiring == ()


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_a_state_and_a_fork_go_on_bit_for_bit(rule):
    ref = ComponentRef(rule) if isinstance(rule, str) else ComponentRef("unrolled", {"steps": 2})
    gan = bilinear(ref, ComponentRef("adam", {"lr": 0.1}))
    for _ in range(3):
        gan.step()
    state = gan.state_dict()
    twin = gan._copy(gan.settings, {}, 1.0, 1.0)
    for _ in range(3):
        gan.step()
        twin.step()
    wanted = gan.weights()
    gan.load_state_dict(state)
    for _ in range(3):
        gan.step()
    for name, weight in wanted.items():
        assert torch.equal(weight, gan.weights()[name]) and torch.equal(weight, twin.weights()[name])


def test_the_rule_is_part_of_what_a_trial_is_unless_it_is_the_default(make_trial):
    assert make_trial(update="alternating").id == make_trial().id != make_trial(update="optimistic").id


@pytest.mark.parametrize(
    ("rule", "training", "why"),
    [
        (
            "extragradient",
            {"d_steps": 2},
            "update 'extragradient': it updates each player once in a step, and d_steps = 2",
        ),
        (
            "simultaneous",
            {"g_steps": 3},
            "update 'simultaneous': it updates each player once in a step, and g_steps = 3",
        ),
        ("unrolled", {"optimizer": "rmsprop"}, "update 'unrolled': it unrolls the steps of adam, adamw and sgd"),
    ],
)
def test_settings_that_a_rule_cannot_serve_skip_the_trial_with_the_reason(rule, training, why, make_trial, run_here):
    result = run_here(make_trial(update=rule, **training))
    assert result.status == "skipped" and result.reason.startswith(why)
