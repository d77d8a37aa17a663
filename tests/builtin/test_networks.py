"""Networks work with every shape and normalization that they support, and train every weight."""

from __future__ import annotations

import math

import pytest
import torch
from small_suites import MLP, SMALL_CONV

from ganbench import DataSpec, RequestError
from ganbench.contract.records import ComponentRef
from ganbench.registry.registry import load_registry

POINTS = DataSpec("points", (2,))
NORMALIZATIONS = ["none", "batch", "layer", "spectral"]


def image(side: int, channels: int = 1) -> DataSpec:
    return DataSpec("images", (channels, side, side), value_range=(-1.0, 1.0))


def build(kind, name, data, **options):
    torch.manual_seed(0)
    return load_registry().build(kind, ComponentRef(name, options), data)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize(
    "name, data",
    [
        ("mlp", POINTS),
        ("mlp", image(9, 3)),
        *(("conv", image(side, 1 + 2 * (side > 20))) for side in (8, 14, 16, 28, 32, 64)),
    ],
    ids=str,
)
def test_outputs_have_the_right_shape_and_every_weight_gets_a_gradient(name, data, normalization):
    options = {"normalization": normalization, "width": 8}
    g, d = build("generator", name, data, **options), build("discriminator", name, data, **options)
    x = g(torch.randn(4, g.latent_dim))
    assert x.shape == (4, *data.shape) and x.dtype == torch.float32
    if data.value_range:
        assert x.min() >= -1 and x.max() <= 1
    logits = d(x)
    assert logits.shape == (4,)
    logits.square().sum().backward()
    assert all(
        weight.grad is not None and torch.isfinite(weight.grad).all() for weight in [*g.parameters(), *d.parameters()]
    )


def test_spectral_normalization_bounds_the_gradient_of_d():
    d = build("discriminator", "mlp", POINTS, normalization="spectral").train()
    for _ in range(50):  # power iterations, one a pass
        d(torch.randn(8, 2))
    x = (torch.randn(64, 2) * 5).requires_grad_()
    (gradient,) = torch.autograd.grad(d(x).sum(), x)
    assert gradient.norm(dim=1).max() <= 1.01


def test_latents_of_a_mixture_are_those_of_the_component_that_the_first_number_picks():
    g = build("generator", "mlp", POINTS, latent_dim=3, components=4, width=8)
    assert g.latent_dim == 4
    quartiles = torch.tensor([-2.0, -0.3, 0.3, 2.0])  # one in each quarter of the normal distribution
    z = torch.cat([quartiles[:, None], torch.zeros(4, 3)], dim=1)
    assert torch.equal(g.mixture(z), g.mixture.means)
    z[:, 1:] = 1.0
    assert torch.allclose(g.mixture(z), g.mixture.means + g.mixture.widths)
    z = torch.full((1, 4), 40.0)  # rounds to the whole of the distribution
    assert torch.isfinite(g(z)).all()
    picked = (g.mixture(torch.randn(4000, 4) * torch.tensor([1, 0, 0, 0]))[:, 0, None] == g.mixture.means[:, 0]).sum(0)
    assert picked.min() > 900  # equally likely
    g(torch.randn(64, 4)).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in g.parameters())


def test_components_of_one_width_keep_it_and_learn_their_means():
    g = build("generator", "mlp", POINTS, latent_dim=2, depth=0, components=5, component_width=0.01)
    assert [name for name, _ in g.named_parameters()] == ["mixture.means", "net.0.weight", "net.0.bias"]
    z = torch.cat([torch.zeros(4000, 1), torch.randn(4000, 2)], dim=1)
    assert g.mixture(z).std(0).tolist() == pytest.approx([0.01, 0.01], rel=0.05)
    assert g.mixture(z).mean(0).tolist() == pytest.approx(g.mixture.means[2].tolist(), abs=1e-3)
    with pytest.raises(RequestError, match="component_width"):
        load_registry().check("generator", ComponentRef("mlp", {"component_width": -0.1}), "here")


def test_fourier_features_let_a_perceptron_learn_what_is_narrow():
    def fit(**options) -> float:
        """Return how much of a wave of five cycles is not learned in a few steps."""
        d = build("discriminator", "mlp", DataSpec("points", (1,)), width=32, **options)
        optimizer = torch.optim.Adam(d.parameters(), lr=3e-3)
        x = torch.linspace(0, 1, 256)[:, None]
        wave = (10 * torch.pi * x[:, 0]).sin()
        for _ in range(150):
            optimizer.zero_grad()
            loss = (d(x) - wave).square().mean()
            loss.backward()
            optimizer.step()
        return float(loss.detach() / wave.var())

    assert fit(fourier=16, frequency=4.0) < 0.1 < 0.5 < fit()


def test_frequencies_of_several_widths_take_turns():
    points = DataSpec("points", (2,))
    d = build("discriminator", "mlp", points, fourier=3000, frequency=[0.5, 2.0, 4.0])
    spread = d.features.frequencies.view(2, 1000, 3).std(dim=(0, 1)) / (2 * math.pi)
    assert spread.tolist() == pytest.approx([0.5, 2.0, 4.0], rel=0.05)
    one, same = (build("discriminator", "mlp", points, fourier=8, frequency=value) for value in (2.0, [2.0]))
    assert torch.equal(one.features.frequencies, same.features.frequencies)
    with pytest.raises(ValueError, match=r"frequency = \[0.5, 2.0, 4.0\] gives no equal shares of fourier = 8"):
        build("discriminator", "mlp", points, fourier=8, frequency=[0.5, 2.0, 4.0])


def test_neither_changes_the_weights_of_networks_without_it():
    plain = build("generator", "mlp", POINTS), build("discriminator", "mlp", POINTS)
    assert [name for network in plain for name in network.state_dict() if not name.startswith("net.")] == []


@pytest.mark.parametrize("shape", [(1, 9, 9), (1, 4, 4), (1, 128, 128), (1, 8, 16)])
def test_conv_refuses_images_of_other_sizes(shape):
    with pytest.raises(ValueError, match="no convolutional"):
        build("generator", "conv", DataSpec("images", shape))


def test_a_trial_of_a_convolutional_network_on_points_is_skipped_with_the_reason(make_trial, run_here):
    result = run_here(make_trial(SMALL_CONV))
    assert result.status == "skipped"
    assert result.reason == "generator 'conv': a convolutional network needs images, and ring is points"


@pytest.mark.parametrize("network", [MLP, SMALL_CONV], ids=["mlp", "conv"])
@pytest.mark.parametrize("loss", ["minimax", "least-squares", "hinge", "wasserstein", "relativistic"])
def test_every_loss_trains_every_network_on_images(make_trial, run_here, network, loss):
    method = {"loss": loss, "regularizers": ["r1"], **network}
    result = run_here(make_trial(method, datasets=["digits"], metrics=["energy-distance"], steps=10))
    assert result.status == "done", result.reason
