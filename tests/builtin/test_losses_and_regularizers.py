"""Losses and regularizers agree with numbers worked out by hand, and their gradients point the right way."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from ganbench import Batch, input_gradient
from ganbench.contract.records import ComponentRef
from ganbench.registry.registry import load_registry
from ganbench.training.discriminator import BoundDiscriminator, evaluate_by_head

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


def bowl(b: Batch) -> torch.Tensor:
    return b.x.square().sum(1) / 2  # its gradient at x is x


@pytest.mark.parametrize("name", ["r1", "r2"])
def test_penalties_from_differences_are_the_exact_ones_on_average(name):
    real, fake = Batch(torch.randn(50, 2)), Batch(torch.randn(50, 2) + 3)
    exact = float(build("regularizer", name, weight=0.3).penalty(bowl, real, fake).detach())
    torch.manual_seed(0)
    approximate = build("regularizer", f"{name}-approx", weight=0.3, sigma=1e-2)
    many = torch.stack([approximate.penalty(bowl, real, fake) for _ in range(2000)])
    assert float(many.mean()) == pytest.approx(exact, rel=0.02)


def test_conventions_of_differences_differ_by_the_variance_of_the_noise():
    values = {}
    for convention in ("gradient", "difference"):
        torch.manual_seed(0)
        approximate = build("regularizer", "r1-approx", weight=2.0, sigma=0.05, convention=convention)
        values[convention] = float(approximate.penalty(bowl, batch(1.0, 2.0), batch(0.0, 0.0)))
    torch.manual_seed(0)
    moved = batch(1.0, 2.0).x + 0.05 * torch.randn(2, 1)
    by_hand = (bowl(Batch(moved)) - bowl(batch(1.0, 2.0))).square().mean()
    assert values["difference"] == pytest.approx(float(by_hand), rel=1e-4)
    assert values["gradient"] == pytest.approx(values["difference"] / 0.05**2, rel=1e-4)


def test_penalties_from_differences_train_a_d_that_cannot_be_differentiated_twice():
    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, gradient):
            return gradient

    layer, d = linear(3.0)
    approximate = build("regularizer", "r1-approx", weight=2.0)
    approximate.penalty(lambda b: Once.apply(d(b)), Batch(torch.randn(8, 2)), Batch(torch.randn(8, 2))).backward()
    assert layer.weight.grad[0, 0] > 0


@pytest.mark.parametrize("name", ["r1", "r2"])
def test_differences_of_packs_and_maps_stand_for_the_same_gradients(name):
    def packed(b: Batch) -> torch.Tensor:
        return b.x.view(-1, 2).square().sum(1) / 2  # the gradient of a pack at each of its samples

    def patches(b: Batch) -> torch.Tensor:
        return torch.stack([b.x, 3 * b.x], dim=2)

    x = torch.randn(64, 1)
    for d in (packed, patches):
        exact = float(build("regularizer", name).penalty(d, Batch(x), Batch(x)).detach())
        torch.manual_seed(0)
        approximate = build("regularizer", f"{name}-approx")
        many = torch.stack([approximate.penalty(d, Batch(x), Batch(x)) for _ in range(2000)])
        assert float(many.mean()) == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize("options", [{"sigma": 0.0}, {"weight": -1.0}, {"every": 0}])
def test_differences_without_a_size_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        build("regularizer", "r1-approx", **options)


def test_lecam_penalizes_what_is_beyond_the_running_mean_of_the_other_side():
    lecam = build("regularizer", "lecam", weight=0.5, decay=0.9)
    first = lecam.penalty(BoundDiscriminator(identity), batch(2.0, 0.0), batch(-1.0, 1.0))
    # Means are 1 and 0 at first: real logits above 0, generated ones below 1.
    assert float(first) == pytest.approx(0.5 * ((4 + 0) / 2 + (4 + 0) / 2))
    second = lecam.penalty(BoundDiscriminator(identity), batch(4.0), batch(-3.0))
    at_real, at_fake = 0.9 * 1 + 0.1 * 4, 0.9 * 0 + 0.1 * -3
    assert float(second) == pytest.approx(0.5 * ((4 - at_fake) ** 2 + (at_real + 3) ** 2), rel=1e-5)


def test_lecam_waits_until_its_start_and_keeps_means_by_head():
    lecam = build("regularizer", "lecam", decay=0.5, start=1)
    assert float(lecam.penalty(BoundDiscriminator(identity), batch(1.0), batch(0.0))) == 0
    assert float(lecam.penalty(BoundDiscriminator(identity), batch(3.0), batch(0.0))) > 0
    assert lecam.means["None"].tolist() == [3.0, 0.0]  # followed until then
    two_heads = BoundDiscriminator(lambda b: [b.x[:, 0], 10 * b.x[:, 0]])
    two_heads.for_each_head(lambda d: lecam.penalty(d, batch(1.0), batch(0.0)))
    assert lecam.means["0"].tolist() == [1.0, 0.0] and lecam.means["1"].tolist() == [10.0, 0.0]


@pytest.mark.parametrize("name", ["lecam", "path-length"])
def test_running_means_are_part_of_a_checkpoint(make_trial, goes_on_as_if_never_left, name):
    method = {"loss": "hinge", "generator": "mlp", "discriminator": "mlp", "regularizers": [name]}
    assert goes_on_as_if_never_left(make_trial(method, steps=20))


def test_path_length_is_the_spread_of_the_lengths_of_steps():
    slopes = torch.tensor([[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]])  # of two values of a sample, for three of noise

    def generate(z, given):
        return given.with_x(z @ slopes)

    fake = generate(torch.randn(2000, 3), Batch(torch.zeros(2000, 2)))
    fake = Batch(fake.x, z=torch.randn(2000, 3))
    regularizer = build("regularizer", "path-length", weight=2.0, decay=0.0)
    torch.manual_seed(0)
    penalty = regularizer.penalty(identity, fake, fake, generate=generate)
    torch.manual_seed(0)
    length = (torch.randn(2000, 2) * torch.tensor([3.0, 4.0])).norm(dim=1)
    assert float(penalty.detach()) == pytest.approx(2 * float(length.var(correction=0)), rel=1e-3)
    assert float(regularizer.mean) == pytest.approx(float(length.mean()), rel=1e-4)


def test_the_path_length_does_not_depend_on_how_many_pixels_there_are():
    def length_of(side: int) -> float:
        def generate(z, given):
            return given.with_x(z[:, :, None, None] * torch.ones(1, 1, side, side))

        regularizer = build("regularizer", "path-length", decay=0.0)
        fake = Batch(torch.zeros(4000, 1, side, side), z=torch.randn(4000, 1))
        regularizer.penalty(identity, fake, fake, generate=generate)
        return float(regularizer.mean)

    assert length_of(8) == pytest.approx(length_of(2), rel=0.05)


def test_path_length_needs_noise():
    fake = Batch(torch.zeros(2, 2), z=torch.zeros(2, 0))
    with pytest.raises(ValueError, match="'path-length' needs a generator with noise"):
        build("regularizer", "path-length").penalty(identity, fake, fake, generate=lambda z, given: given)


@pytest.mark.parametrize(
    "layer", [nn.Linear(4, 3), nn.Conv2d(2, 3, 3), nn.ConvTranspose2d(2, 3, 3)], ids=lambda m: type(m).__name__
)
def test_orthogonal_penalizes_the_products_of_different_outputs_alone(layer):
    regularizer = build("regularizer", "orthogonal", weight=0.5)
    module = nn.Sequential(layer, nn.BatchNorm1d(4), nn.Embedding(5, 4))
    rows = layer.weight.detach()
    rows = (rows.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else rows).flatten(1)
    expected = sum(float(a @ b) ** 2 for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j)
    penalty = regularizer.penalty(identity, batch(0.0), batch(0.0), module=module)
    assert float(penalty.detach()) == pytest.approx(0.5 * expected, rel=1e-4)


def test_orthogonal_is_zero_for_outputs_at_right_angles_of_any_length():
    layer = nn.Linear(3, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.diag(torch.tensor([1.0, 20.0, 300.0])))
    penalty = build("regularizer", "orthogonal").penalty(identity, batch(0.0), batch(0.0), module=layer)
    assert float(penalty.detach()) == 0


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_orthogonal_is_given_the_weights_of_its_player(make_trial, train, player):
    def angles(weight) -> float:
        return float(
            nn.functional.cosine_similarity(weight[:, None], weight[None], dim=2).fill_diagonal_(0).abs().mean()
        )

    method = {"loss": "hinge", "generator": "mlp", "discriminator": "mlp"}
    method |= {"regularizers": [{"name": "orthogonal", "weight": 1.0, "player": player}]}
    trial = make_trial(method, steps=30, optimizer={"name": "adam", "lr": 1e-2})
    before, after = (angles(getattr(train(trial, steps), player).net[2].weight.detach()) for steps in (0, 30))
    assert after < 0.7 * before


@pytest.mark.parametrize(
    "name, options",
    [
        ("lecam", {"decay": 1.0}),
        ("lecam", {"start": -1}),
        ("path-length", {"every": 0}),
        ("orthogonal", {"weight": -1.0}),
        ("cr", {"shift": -1}),
        ("bcr", {"weight_generated": -1.0}),
        ("zcr", {"sigma": 0.0}),
        ("zcr-generator", {"weight": -1.0}),
    ],
)
def test_options_of_regularizers_out_of_range_are_refused(name, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        build("regularizer", name, **options)


PER_HEAD = {
    "r1": {"weight": 0.5},
    "r2": {"weight": 0.5},
    "r1-approx": {"weight": 0.5, "sigma": 0.1},
    "r2-approx": {"weight": 0.5, "sigma": 0.1},
    "gradient-penalty": {"weight": 3.0},
    "dragan": {"weight": 3.0},
    "lecam": {"weight": 0.5},
}


@pytest.mark.parametrize("combine", ["mean", "sum"])
@pytest.mark.parametrize("name", PER_HEAD)
def test_each_head_has_a_penalty_of_its_own(name, combine):
    """Slopes that cancel in the mean of the heads are penalized all the same."""
    real, fake = Batch(torch.randn(16, 3)), Batch(torch.randn(16, 3) + 1)
    weights = torch.tensor([2.0, 0.0, -1.0])
    heads = [lambda x: x @ weights, lambda x: (x @ -weights)[:, None].expand(-1, 5)]
    regularizer = build("regularizer", name, **PER_HEAD[name])

    torch.manual_seed(0)
    both = BoundDiscriminator(lambda b: [head(b.x) for head in heads], combine)
    got = evaluate_by_head(regularizer, regularizer.penalty, both, real, fake)

    torch.manual_seed(0)
    each = [
        build("regularizer", name, **PER_HEAD[name]).penalty(
            BoundDiscriminator(lambda b, head=head: head(b.x)), real, fake
        )
        for head in heads
    ]
    torch.testing.assert_close(got, sum(each) / (2 if combine == "mean" else 1))
    assert got > 0.1


@pytest.mark.parametrize("name", PER_HEAD)
def test_a_single_head_is_penalized_as_ever(name):
    real, fake = Batch(torch.randn(16, 3)), Batch(torch.randn(16, 3) + 1)
    weights = torch.tensor([2.0, 0.0, -1.0])
    values = []
    for by_head in (True, False):
        torch.manual_seed(0)
        regularizer = build("regularizer", name, **PER_HEAD[name])
        d = BoundDiscriminator(lambda b: (b.x @ weights).sin())
        values.append(
            evaluate_by_head(regularizer, regularizer.penalty, d, real, fake)
            if by_head
            else regularizer.penalty(d, real, fake)
        )
    assert torch.equal(*values)
