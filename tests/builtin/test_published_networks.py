"""Networks from papers have the published sizes and do what their papers say; conditional ones use labels."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

import ganbench
from ganbench.builtin.networks.resampling import binomial_filter, downsample, upsample
from ganbench.builtin.networks.stylegan2 import add_minibatch_std
from ganbench.contract.records import ComponentRef
from ganbench.registry.registry import load_registry
from ganbench.training.data import DeviceDataset
from ganbench.training.game import GAN

CIFAR = ganbench.DataSpec("images", (3, 32, 32), value_range=(-1.0, 1.0), classes=10)
SMALL = {  # options for tests
    "sagan": {"width": 16},
    "biggan": {"width": 16},
    "stylegan2": {"width": 8},
    "r3gan": {"width": 16},
    "r3gan-small": {"width": 16},
}
OF_G = {
    "sagan": {"latent_dim": 8},
    "biggan": {"latent_dim": 20, "shared_dim": 6},
    "stylegan2": {"latent_dim": 8, "style_dim": 8},
    "r3gan": {"latent_dim": 8},
    "r3gan-small": {"latent_dim": 8},
}


def build(kind: str, name: str, data: ganbench.DataSpec = CIFAR, **options):
    torch.manual_seed(0)
    return load_registry().build(kind, ComponentRef(name, options), data)


def pair(name: str, data: ganbench.DataSpec = CIFAR, **options):
    """A small generator and discriminator."""
    return build("generator", name, data, **SMALL[name], **OF_G[name], **options), build(
        "discriminator", name, data, **SMALL[name], **options
    )


def weights(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def sides_of(name: str) -> tuple[int, ...]:
    return (32, 64) if name in ("sagan", "biggan") else (8, 32)


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("name", SMALL)
def test_shapes_ranges_and_a_gradient_for_every_weight(name, conditional):
    for side in sides_of(name):
        data = ganbench.DataSpec("images", (1 if side == 64 else 3, side, side), value_range=(0.0, 1.0), classes=10)
        g, d = pair(name, data, conditional=conditional)
        z, labels = torch.randn(4, g.latent_dim), torch.arange(4)
        logits = d(g(z, labels), labels)
        assert logits.shape == (4,)
        logits.square().sum().backward()
        assert all(torch.isfinite(weight.grad).all() for weight in [*g.parameters(), *d.parameters()])
        with torch.no_grad():
            x = g.eval()(100 * z, labels)
        assert x.shape == (4, *data.shape) and x.dtype == torch.float32
        assert x.min() >= 0 and x.max() <= 1


# Published, or by hand from the published tables:
# - BigGAN on CIFAR-10: StudioGAN's 96 channels. DiffAugment's: 64.
# - StyleGAN2 `cifar`, unconditional: seven styled convolutions of 512 * 512 * 9 + 512 * 513 + 512 + 1, four to the image of
#   512 * 513 + 3 * 513, two layers of 512 * 513 and the constant; D six convolutions of 512 * 512 * 9 + 512, the first of
#   4 * 512, the last of 513 * 512 * 9 + 512, and two dense layers.
# - R3GAN on CIFAR-10, conditional as published: 20.78 M.
CONVOLUTION = 512 * 512 * 9 + 512
STYLEGAN2 = (
    7 * (CONVOLUTION + 512 * 513 + 1) + 4 * (512 * 513 + 3 * 513) + 2 * 512 * 513 + 512 * 16,
    4 * 512 + 6 * CONVOLUTION + 513 * 512 * 9 + 512 + (512 * 16 + 1) * 512 + 513,
)


@pytest.mark.parametrize(
    "name, options, of_g, published",
    [
        ("biggan", {"conditional": True}, {}, (9_416_196, 2_415_170)),
        (
            "biggan",
            {"conditional": True, "width": 256, "attention": False, "initialization": "normal"},
            {"hierarchical": False, "latent_dim": 128},
            (4_304_387, 4_207_361),
        ),
        ("stylegan2", {}, {}, STYLEGAN2),
        ("r3gan", {"conditional": True}, {}, (20_781_952, 21_280_512)),
        ("r3gan-small", {}, {}, (2_716_416, 2_700_288)),
    ],
    ids=["biggan", "DiffAugment's biggan", "stylegan2", "r3gan", "r3gan-small"],
)
def test_sizes_are_as_published(name, options, of_g, published):
    # Spectral normalization iterates when it is built: that has to be in memory.
    with torch.device("cpu" if name == "biggan" else "meta"):
        sizes = tuple(
            weights(load_registry().build(kind, ComponentRef(name, {**options, **more}), CIFAR))
            for kind, more in (("generator", of_g), ("discriminator", {}))
        )
    assert sizes == published


def test_sagan_is_sngan_with_attention():
    g, d = build("generator", "sagan"), build("discriminator", "sagan")
    sngan = 528_384 + 3 * 1_246_976 + 7_427, 151_680 + 311_680 + 2 * 295_168 + 129
    attention = [2 * c * (c // 8) + 2 * c * (c // 2) + 1 for c in (256, 128)]
    assert (weights(g) - attention[0], weights(d) - attention[1]) == sngan
    assert g.attention_after == 1  # after the second block of G, at 16x16, and after the first of D
    assert [type(block).__name__ for block in d.blocks][:2] == ["DownBlock", "SelfAttention"]


@pytest.mark.parametrize("name", ["sagan", "biggan"])
def test_attention_begins_as_nothing_and_then_looks_everywhere(name):
    _, d = pair(name)
    attention, x = d.blocks[1].double(), torch.randn(1, 16, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.equal(attention(x), x)
    nn.init.ones_(attention.gamma)
    (gradient,) = torch.autograd.grad(attention(x)[0, :, 0, 0].sum(), x)
    seen = (gradient != 0).any(dim=1)[0]
    assert seen.float().mean() > 0.25 and seen[-2:, -2:].any()  # pooled keys pass a gradient to one position in four


@pytest.mark.parametrize("name", SMALL)
def test_labels_change_samples_and_logits_of_conditional_networks_alone(name):
    zeros, ones = torch.zeros(3, dtype=torch.long), torch.ones(3, dtype=torch.long)
    for conditional in (False, True):
        g, d = pair(name, conditional=conditional)
        z = torch.randn(3, g.latent_dim)
        if name == "sagan" and conditional:
            for block in g.blocks:  # gains begin at one and biases at zero for every class: as after some training
                nn.init.normal_(block.norm1.bias.weight)
        g.eval(), d.eval()
        x = g(z, ones)
        assert torch.equal(x, g(z, zeros)) is not conditional
        assert torch.equal(d(x, ones), d(x, zeros)) is not conditional


@pytest.mark.parametrize("name", SMALL)
def test_missing_labels_and_classes_are_refused_in_a_line(name):
    g, d = pair(name, conditional=True)
    with pytest.raises(ValueError, match=r"^generator '.*' is conditional and was given no labels$"):
        g(torch.randn(2, g.latent_dim))
    with pytest.raises(ValueError, match=r"^discriminator '.*' is conditional and was given no labels$"):
        d(torch.randn(2, 3, 32, 32))
    unlabelled = ganbench.DataSpec("images", (3, 32, 32))
    for kind in ("generator", "discriminator"):
        with pytest.raises(ValueError, match=rf"^{kind} '.*': conditional = true needs labels"):
            build(kind, name, unlabelled, conditional=True)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(
    "data, why",
    [
        (ganbench.DataSpec("points", (2,)), r"needs images, and these samples are points of shape \(2,\)"),
        (ganbench.DataSpec("images", (3, 40, 40)), "and these samples have 40x40; the nearest is 32x32"),
        (ganbench.DataSpec("images", (3, 32, 64)), "and these samples have 32x64"),
    ],
    ids=["points", "another side", "no square"],
)
def test_other_data_is_refused_in_a_line(name, data, why):
    for kind in ("generator", "discriminator"):
        with pytest.raises(ValueError, match=rf"^{kind} '.*': .*{why}"):
            build(kind, name, data)


def test_noise_that_has_no_equal_parts_is_refused_in_a_line():
    with pytest.raises(ValueError, match="latent_dim = 30 has no 4 equal parts; try 32"):
        build("generator", "biggan", latent_dim=30)


@pytest.mark.parametrize("name", ["sagan", "biggan", "stylegan2", "r3gan"])
def test_an_average_of_g_is_trained_and_evaluated_and_a_step_goes_on_after_loading(name):
    gan = small_game(name, ema=0.9)
    gan.step()
    state = gan.state_dict()
    first = [float(loss) for loss in gan.step()]
    assert all(map(math.isfinite, first))
    averaged = gan.evaluated_generator()
    trained = dict(gan.generator.named_parameters())
    assert any(not torch.equal(weight, trained[key]) for key, weight in averaged.named_parameters())
    assert torch.isfinite(averaged(torch.randn(2, averaged.latent_dim), torch.tensor([0, 1]))).all()
    gan.load_state_dict(state)
    assert [float(loss) for loss in gan.step()] == first


def small_game(name: str, **settings) -> GAN:
    g, d = pair(name, conditional=True)
    adam = ComponentRef("adam", {"lr": 2e-4, "betas": [0.0, 0.9], "eps": 1e-8, "weight_decay": 0.0})
    training = ganbench.Training(100, 2, adam, adam, **settings)
    registry = load_registry()
    r1 = registry.build("regularizer", ComponentRef("r1"))
    loss = registry.build("loss", ComponentRef("non-saturating"))
    real = ganbench.Batch(torch.rand(16, 3, 32, 32) * 2 - 1, torch.arange(16) % 10)
    return GAN(g, d, loss, {"r1": r1}, DeviceDataset(real, CIFAR, torch.device("cpu")), training, seed=0)


@pytest.mark.parametrize("name", ["sagan", "biggan", "stylegan2", "r3gan"])
def test_discriminators_of_several_seeds_can_be_stacked(name):
    ds = [pair(name)[1] for _ in range(2)]
    for i, d in enumerate(ds):
        for weight in d.parameters():
            weight.data.add_(0.1 * i)
    x = torch.randn(4, 3, 32, 32)
    apart = torch.stack([copy.deepcopy(d)(x) for d in ds])
    together = vmap(lambda w, b: functional_call(ds[0], (w, b), (x,)))(*stack_module_state(ds))
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-4)


# --- StyleGAN2 ------------------------------------------------------------------------------------------------------


def test_styles_scale_what_a_convolution_sees_and_demodulation_keeps_its_scale():
    """Modulating and demodulating weights (eq. 1 and 3 of the paper), sample by sample."""
    g = build("generator", "stylegan2", width=8, style_dim=8).eval()
    layer = next(layer for layer in g.layers if not layer.up)
    x, w = torch.randn(3, 8, 4, 4), torch.randn(3, 8)
    styles = layer.style(w)
    expected = []
    for i in range(3):
        weight = layer.weight * layer.scale * styles[i][None, :, None, None]
        weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        y = nn.functional.conv2d(x[i : i + 1], weight, padding=1) + layer.bias[:, None, None]
        expected.append(nn.functional.leaky_relu(y, 0.2) * math.sqrt(2))
    torch.testing.assert_close(layer(x, w), torch.cat(expected), rtol=1e-4, atol=1e-5)


def test_demodulated_maps_have_unit_variance_whatever_the_style():
    g = build("generator", "stylegan2", width=128, style_dim=16, latent_dim=16).eval()
    layer = [layer for layer in g.layers if not layer.up][1]
    with torch.no_grad():
        y = layer(torch.randn(16, 128, 8, 8), 5 * torch.randn(16, 16))[:, :, 1:-1, 1:-1] / math.sqrt(2)
    linear = torch.where(y < 0, y / 0.2, y)
    assert float(linear.var()) == pytest.approx(1, rel=0.1)


def test_noise_is_fresh_in_training_and_fixed_in_evaluation():
    g, _ = pair("stylegan2")
    for layer in g.layers:
        nn.init.ones_(layer.noise_strength)
    z = torch.randn(2, 8)
    assert not torch.equal(g(z), g(z))
    g.eval()
    assert torch.equal(g(z), g(z))


def test_the_mapping_learns_a_hundred_times_slower():
    g, _ = pair("stylegan2")
    layer = g.mapping.layers[0]
    assert layer.lr_multiplier == 0.01
    assert float((layer.weight * layer.scale).detach().std()) == pytest.approx(1 / math.sqrt(8), rel=0.3)


def test_minibatch_std_sees_a_collapsed_batch():
    same = torch.randn(1, 3, 4, 4).expand(8, -1, -1, -1)
    assert float(add_minibatch_std(same, 4)[:, 3].max()) == pytest.approx(1e-4, rel=0.01)  # the square root of epsilon
    x = torch.randn(8, 3, 4, 4)
    added = add_minibatch_std(x, 4)
    assert added.shape == (8, 4, 4, 4) and torch.equal(added[:, :3], x)
    # Samples 0, 2, 4 and 6 are a group, 1, 3, 5 and 7 the other.
    by_hand = x[::2].var(dim=0, unbiased=False).sqrt().mean()
    assert float(added[0, 3, 0, 0]) == pytest.approx(float(by_hand), rel=1e-5)
    assert float(added[6, 3, 2, 1]) == float(added[0, 3, 0, 0]) != float(added[1, 3, 0, 0])
    assert add_minibatch_std(torch.randn(7, 3, 4, 4), 4).shape == (7, 4, 4, 4)  # groups of one: no deviation


# --- R3GAN ----------------------------------------------------------------------------------------------------------


def test_blocks_of_r3gan_begin_as_the_identity():
    g, d = pair("r3gan")
    x = torch.randn(2, 16, 8, 8)
    for network in (g, d):
        for stage in network.stages:
            assert torch.equal(stage(x), x)


def test_r3gan_begins_with_scaled_he_weights():
    d = build("discriminator", "r3gan", width=128)
    block = d.stages[0][0]
    gain = math.sqrt(2 / 1.04) * 8**-0.25  # eight blocks
    assert float(block.expand.weight.detach().std()) == pytest.approx(gain / math.sqrt(128), rel=0.05)
    assert float(block.mix.weight.detach().std()) == pytest.approx(gain / math.sqrt(16 * 9), rel=0.05)
    assert not block.reduce.weight.any()
    assert not [m for m in d.modules() if isinstance(m, nn.modules.batchnorm._NormBase | nn.GroupNorm)]


@pytest.mark.parametrize("taps", [(1, 2, 1), (1, 3, 3, 1)])
def test_resampling_keeps_the_mean_and_is_the_transpose_of_itself(taps):
    kernel = binomial_filter(taps).double()
    x, y = torch.randn(2, 3, 8, 8, dtype=torch.float64), torch.randn(2, 3, 16, 16, dtype=torch.float64)
    assert upsample(x, kernel).shape == y.shape and downsample(y, kernel).shape == x.shape
    flat: Tensor = upsample(torch.ones_like(x), kernel)[:, :, 2:-2, 2:-2]
    torch.testing.assert_close(flat, torch.ones_like(flat))
    torch.testing.assert_close((upsample(x, kernel) * y).sum(), 4 * (x * downsample(y, kernel)).sum())
