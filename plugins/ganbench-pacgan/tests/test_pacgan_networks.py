"""The paper's networks: their sizes, initial weights and shapes, and the options that they refuse."""

import pytest
import torch
from ganbench_pacgan.dcgan import DCGANDiscriminator, DCGANGenerator
from ganbench_pacgan.maxout import Maxout, MaxoutDiscriminator
from ganbench_pacgan.mlp import PacGANGenerator

import ganbench

POINTS = ganbench.DataSpec("points", (2,), modes=25)
STACKED = ganbench.DataSpec("images", (3, 28, 28), value_range=(-1.0, 1.0))


def images(channels: int, height: int, width: int) -> ganbench.DataSpec:
    return ganbench.DataSpec("images", (channels, height, width), value_range=(0.0, 1.0))


def count(network: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_maxout_is_the_largest_piece_of_each_unit():
    layer = Maxout(2, 2, pieces=3)
    with torch.no_grad():
        # Pieces 0, 1 and 2 of unit 0 read x, y and -x; those of unit 1 read -y, 2x and 0.
        layer.linear.weight.copy_(torch.tensor([[1, 0], [0, -1], [0, 1], [2, 0], [-1, 0], [0, 0]]))
        layer.linear.bias.zero_()
    x = torch.tensor([[1.0, 3.0], [-4.0, 2.0]])
    assert layer(x).tolist() == [[3.0, 2.0], [4.0, 0.0]]


def test_the_discriminator_of_the_ring_has_the_papers_size():
    d = MaxoutDiscriminator(POINTS)
    assert count(d) == (2 + 1) * 1000 + 2 * (200 + 1) * 1000 + 201
    assert d(torch.randn(5, 2)).shape == (5,)


def test_the_generator_of_the_ring_has_the_papers_size():
    g = PacGANGenerator(POINTS)
    # Four layers without biases, each with its normalization's scale and shift, and a last layer with a bias.
    assert count(g) == 2 * 400 + 3 * 400 * 400 + 4 * 2 * 400 + 401 * 2
    assert g.latent_dim == 2
    assert g(torch.randn(5, 2)).shape == (5, 2)


@pytest.mark.parametrize("network", [MaxoutDiscriminator(POINTS), PacGANGenerator(POINTS), DCGANDiscriminator(STACKED)])
def test_initial_weights_are_small(network):
    weights = [weight for weight in network.parameters() if weight.dim() > 1]
    assert all(weight.detach().std().item() == pytest.approx(0.02, rel=0.2) for weight in weights)


def test_a_generator_keeps_to_the_range_of_the_data():
    g = PacGANGenerator(images(1, 4, 4), width=8, depth=1)
    x = g(100 * torch.randn(50, 2))
    assert x.shape == (50, 1, 4, 4)
    assert x.min() >= 0 and x.max() <= 1


def test_stacked_mnist_is_made_from_two_by_two_maps_of_512_channels():
    g, d = DCGANGenerator(STACKED), DCGANDiscriminator(STACKED)
    up = [(m.in_channels, m.out_channels) for m in g.modules() if isinstance(m, torch.nn.ConvTranspose2d)]
    down = [(m.in_channels, m.out_channels) for m in d.modules() if isinstance(m, torch.nn.Conv2d)]
    assert up == [(512, 256), (256, 128), (128, 64), (64, 3)]
    assert down == [(3, 64), (64, 128), (128, 256), (256, 512)]
    assert g.net[0].out_features == d.net[-1].in_features == 512 * 2 * 2
    assert g.latent_dim == 100
    assert g.prior == "uniform"


@pytest.mark.parametrize("shape", [(3, 28, 28), (1, 32, 32), (3, 8, 8), (2, 21, 34), (1, 3, 3), (6, 64, 64)])
def test_a_dcgan_works_for_images_of_any_size(shape):
    data = images(*shape)
    g, d = DCGANGenerator(data, width=2, latent_dim=3), DCGANDiscriminator(data, width=2)
    x = g(torch.rand(4, 3) * 2 - 1)
    assert x.shape == (4, *shape)
    assert d(x).shape == (4,)


def test_small_images_are_halved_less_often():
    down = [m for m in DCGANDiscriminator(images(1, 8, 8), width=4).modules() if isinstance(m, torch.nn.Conv2d)]
    assert [m.out_channels for m in down] == [4, 8]


@pytest.mark.parametrize("build", [DCGANGenerator, DCGANDiscriminator])
def test_a_dcgan_refuses_what_is_no_image(build):
    with pytest.raises(ValueError, match=r"DCGAN needs images of at least 3x3 pixels, not points of shape \(2,\)"):
        build(POINTS)
    with pytest.raises(ValueError, match="DCGAN needs images of at least 3x3 pixels"):
        build(images(1, 2, 9))


@pytest.mark.parametrize("build", [DCGANGenerator, DCGANDiscriminator, MaxoutDiscriminator, PacGANGenerator])
@pytest.mark.parametrize("option", ["width", "depth"])
def test_sizes_below_one_are_refused(build, option):
    with pytest.raises(ValueError, match=f"{option} = 0.* must be at least 1"):
        build(STACKED, **{option: 0})


def test_maxout_needs_a_piece():
    with pytest.raises(ValueError, match="pieces = 0 must be at least 1"):
        MaxoutDiscriminator(POINTS, pieces=0)
