"""The networks have the paper's layers, use labels if conditional, and refuse unsupported data and options."""

import pytest
import torch
from ganbench_sngan.discriminator import SNGANDiscriminator
from ganbench_sngan.generator import SNGANGenerator
from safetensors.torch import load, save
from torch import nn
from torch.func import functional_call

import ganbench


def images(side: int, *, channels: int = 3, classes: int = 10, value_range=(-1.0, 1.0)) -> ganbench.DataSpec:
    return ganbench.DataSpec("images", (channels, side, side), value_range=value_range, classes=classes)


def pair(spec: ganbench.DataSpec, **options) -> tuple[SNGANGenerator, SNGANDiscriminator]:
    torch.manual_seed(0)
    return SNGANGenerator(spec, width=16, latent_dim=8, **options), SNGANDiscriminator(spec, width=16, **options)


def weights(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("side", [32, 48, 64])
def test_shapes_of_samples_and_logits(side, conditional):
    spec = images(side, channels=1 if side == 48 else 3, value_range=(0.0, 1.0))
    g, d = pair(spec, conditional=conditional)
    labels = torch.tensor([1, 2, 3])
    fake = g(torch.randn(3, 8), labels).detach()
    assert fake.shape == (3, *spec.shape)
    assert 0 <= float(fake.min()) < 0.5 < float(fake.max()) <= 1
    assert d(fake, labels).shape == (3,)


def test_data_without_a_range_gets_images_without_one():
    g = SNGANGenerator(images(32, value_range=None), width=16)
    nn.init.constant_(g.head[-1].bias, 5.0)
    assert float(g(torch.randn(2, 128)).detach().max()) > 2


# By hand from the paper's tables; a 3x3 convolution of a to b channels has 9ab + b weights, a 1x1 one ab + b, batch
# normalization of a channels 2a. A generator block is norm a, 3x3 a to b, norm b, 3x3 b to b, 1x1 a to b; a
# discriminator block 3x3 a to a, 3x3 a to b, 1x1 a to b; its first 3x3 3 to b, 3x3 b to b, 1x1 3 to b.
#
# G32: dense 128 * 4096 + 4096                                            =    528,384
#      3 blocks of 512 + 590,080 + 512 + 590,080 + 65,792 = 1,246,976     =  3,740,928
#      norm 512, 3x3 256 to 3: 6,915                                      =      7,427
# D32: first 3,584 + 147,584 + 512                                        =    151,680
#      second 147,584 + 147,584 + 16,512                                  =    311,680
#      two without a 1x1, 295,168 each                                    =    590,336
#      dense 128 + 1                                                      =        129
# G48: dense 128 * 18,432 + 18,432                                        =  2,377,728
#      512 to 256: 1,024 + 1,179,904 + 512 + 590,080 + 131,328            =  1,902,848
#      256 to 128:   512 +   295,040 + 256 + 147,584 +  32,896            =    476,288
#      128 to  64:   256 +    73,792 + 128 +  36,928 +   8,256            =    119,360
#      norm 128, 3x3 64 to 3: 1,731                                       =      1,859
# D48: first 1,792 + 36,928 + 256                                         =     38,976
#       64 to  128:    36,928 +    73,856 +   8,320                       =    119,104
#      128 to  256:   147,584 +   295,168 +  33,024                       =    475,776
#      256 to  512:   590,080 + 1,180,160 + 131,584                       =  1,901,824
#      512 to 1024: 2,359,808 + 4,719,616 + 525,312                       =  7,604,736
#      dense 1,024 + 1                                                    =      1,025
@pytest.mark.parametrize(
    "side, generator, discriminator",
    [
        (32, 528_384 + 3_740_928 + 7_427, 151_680 + 311_680 + 590_336 + 129),
        (
            48,
            2_377_728 + 1_902_848 + 476_288 + 119_360 + 1_859,
            38_976 + 119_104 + 475_776 + 1_901_824 + 7_604_736 + 1_025,
        ),
    ],
)
def test_parameter_counts_are_the_papers(side, generator, discriminator):
    assert weights(SNGANGenerator(images(side))) == generator
    assert weights(SNGANDiscriminator(images(side))) == discriminator


def test_at_64_pixels_d_halves_once_more_and_g_begins_twice_as_wide():
    d = SNGANDiscriminator(images(64), width=16)
    assert weights(d) == weights(SNGANDiscriminator(images(48), width=16))
    assert d.blocks(torch.randn(1, 3, 64, 64)).shape == (1, 16, 2, 2)
    # G64: dense 128 * 16,384 + 16,384 = 2,113,536; 1024 to 512: 2,048 + 4,719,104 + 1,024 + 2,359,808 + 524,800
    # = 7,606,784; then 512 to 64 and the end as at 48 pixels: 2,500,355.
    assert weights(SNGANGenerator(images(64))) == 2_113_536 + 7_606_784 + 2_500_355


def test_conditional_networks_add_a_gain_and_a_bias_per_class_and_an_embedding():
    plain, conditional = pair(images(32)), pair(images(32), conditional=True)
    norms = 3 * 2 * 2 * 16  # three blocks, two norms each, gain and bias
    assert weights(conditional[0]) - weights(plain[0]) == norms * 10 - norms
    assert weights(conditional[1]) - weights(plain[1]) == 10 * 16


def test_initial_weights_are_glorot_uniform():
    d = SNGANDiscriminator(images(32), width=64)
    second = d.blocks[1]
    for layer, gain2, fans in ((second.conv1, 2, 2 * 9 * 64), (second.shortcut, 1, 2 * 64), (d.head, 1, 65)):
        bound = (gain2 * 6 / fans) ** 0.5
        assert 0.9 * bound < float(layer.weight.detach().abs().max()) <= bound
        assert not layer.bias.any()


def test_labels_change_the_output_and_their_weights_learn():
    spec = images(32)
    g, d = pair(spec, conditional=True)
    with torch.no_grad():  # gains begin at one and biases at zero for every class: as after some training
        for block in g.blocks:
            block.norm1.biases.weight.normal_()
    z, zeros, ones = torch.randn(4, 8), torch.zeros(4, dtype=torch.long), torch.ones(4, dtype=torch.long)
    x = g(z, ones)
    assert (x - g(z, zeros)).abs().max() > 0.01
    assert (d(x, ones) - d(x, zeros)).abs().min() > 1e-6
    d(x, ones).mean().backward()
    for table in (d.embedding.weight, g.blocks[0].norm1.gains.weight, g.blocks[2].norm2.biases.weight):
        assert table.grad[1].any()
    assert not g.blocks[0].norm1.gains.weight.grad[2:].any()


def test_unconditional_networks_ignore_labels():
    g, d = pair(images(32))
    g.eval(), d.eval()
    z, labels = torch.randn(2, 8), torch.tensor([0, 1])
    assert torch.equal(g(z, labels), g(z))
    assert torch.equal(d(g(z), labels), d(g(z)))


@pytest.mark.parametrize("conditional", [False, True])
def test_a_gradient_penalty_trains_every_layer_of_d(conditional):
    _, d = pair(images(32), conditional=conditional)
    labels = torch.tensor([0, 1, 2])
    batch = ganbench.Batch(torch.randn(3, 3, 32, 32), labels)
    gradient = ganbench.input_gradient(lambda b: d(b.x, b.labels), batch)
    gradient.square().sum().backward()
    # Weights alone: the last layer's bias moves the logits, not their slope.
    assert all(w.grad is not None and w.grad.any() for n, w in d.named_parameters() if n.endswith("weight"))


def test_one_step_against_a_frozen_d_reaches_g_and_leaves_d_alone():
    g, d = pair(images(32))
    d.requires_grad_(False)
    (-d(g(torch.randn(4, 8))).mean()).backward()
    assert all(weight.grad is not None for weight in g.parameters())
    assert all(weight.grad is None for weight in d.parameters())


@pytest.mark.parametrize("conditional", [False, True])
def test_a_saved_state_restores_the_outputs(conditional):
    spec, z, labels = images(32), torch.randn(3, 8), torch.tensor([0, 1, 2])
    g, d = pair(spec, conditional=conditional)
    for _ in range(3):
        d(g(z, labels), labels)
    torch.manual_seed(1)
    g2 = SNGANGenerator(spec, width=16, latent_dim=8, conditional=conditional)
    d2 = SNGANDiscriminator(spec, width=16, conditional=conditional)
    g2.load_state_dict(load(save(g.state_dict())))
    d2.load_state_dict(load(save(d.state_dict())))
    for mode in (True, False):
        g.train(mode), d.train(mode), g2.train(mode), d2.train(mode)
        assert torch.equal(d2(g2(z, labels), labels), d(g(z, labels), labels))


def test_a_functional_call_changes_no_state():
    g, d = pair(images(32), conditional=True)
    before = [{name: value.clone() for name, value in network.state_dict().items()} for network in (g, d)]
    labels = torch.tensor([0, 1])
    states = [{name: value.clone() for name, value in network.state_dict().items()} for network in (g, d)]
    x = functional_call(g, states[0], (torch.randn(2, 8), labels))
    functional_call(d, states[1], (x, labels))
    for network, state in zip((g, d), before, strict=True):
        assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("build", [SNGANGenerator, SNGANDiscriminator])
@pytest.mark.parametrize(
    "spec, options, why",
    [
        (ganbench.DataSpec("points", (2,)), {}, r"SNGAN needs images, and these samples are points of shape \(2,\)"),
        (images(28), {}, "these samples have 28x28; the nearest is 32x32"),
        (images(128), {}, "these samples have 128x128; the nearest is 64x64"),
        (images(32, classes=0), {"conditional": True}, "conditional = true needs labels, and the data has no classes"),
        (images(64), {"width": 40}, "width = 40 is no positive multiple of 16; the nearest is 32"),
        (images(32), {"width": 0}, "width = 0 is no positive multiple of 1; the nearest is 1"),
    ],
    ids=["points", "too small", "too large", "no classes", "no shares", "no channels"],
)
def test_unsupported_data_and_options_are_refused_in_a_line(build, spec, options, why):
    with pytest.raises(ValueError, match=rf"^(generator|discriminator) 'sngan': .*{why}"):
        build(spec, **options)


def test_missing_labels_and_latents_are_refused_in_a_line():
    g, d = pair(images(32), conditional=True)
    with pytest.raises(ValueError, match="generator 'sngan' is conditional and was given no labels"):
        g(torch.randn(2, 8))
    with pytest.raises(ValueError, match="discriminator 'sngan' is conditional and was given no labels"):
        d(torch.randn(2, 3, 32, 32))
    with pytest.raises(ValueError, match="latent_dim = 0 must be at least 1"):
        SNGANGenerator(images(32), latent_dim=0)
