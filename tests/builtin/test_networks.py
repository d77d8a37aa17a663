"""Networks work with every shape and normalization that they support, and train every weight."""

from __future__ import annotations

import pytest
import torch
from small_suites import MLP, SMALL_CONV

from ganbench import DataSpec
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
