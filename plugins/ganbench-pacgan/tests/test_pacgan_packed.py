"""Packing: consecutive samples, stacked along their channels, get one logit."""

from types import SimpleNamespace

import pytest
import torch
from ganbench_pacgan.maxout import MaxoutDiscriminator
from ganbench_pacgan.packed import Packed

import ganbench

POINTS = ganbench.DataSpec("points", (2,), modes=8)
PICTURES = ganbench.DataSpec("images", (3, 8, 8), value_range=(-1.0, 1.0), classes=10)


def small_maxout(data: ganbench.DataSpec) -> MaxoutDiscriminator:
    torch.manual_seed(0)
    return MaxoutDiscriminator(data, width=4, depth=1)


def trial(batch_size: int, discriminator: str = "packed", **options: object) -> SimpleNamespace:
    """As much of a trial as `skip` reads."""
    asked = ganbench.ComponentRef(discriminator, options)
    return SimpleNamespace(
        components=SimpleNamespace(discriminator=asked), training=SimpleNamespace(batch_size=batch_size)
    )


def test_a_pack_is_consecutive_points_side_by_side():
    d = Packed(POINTS, discriminator=small_maxout, degree=3)
    x = torch.randn(6, 2)
    expected = torch.stack([torch.cat([x[0], x[1], x[2]]), torch.cat([x[3], x[4], x[5]])])
    assert torch.equal(d(x), d.inner(expected))
    assert d(x).shape == (2,)
    assert d.pack == 3


class Recording(torch.nn.Module):
    """Returns the mean, and records what it was built for and given."""

    def __init__(self, data: ganbench.DataSpec) -> None:
        super().__init__()
        self.data = data

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        self.x, self.labels = x, labels
        return x.flatten(1).mean(1)


def test_a_pack_of_images_has_all_their_channels():
    d = Packed(PICTURES, discriminator=Recording, degree=2)
    x = torch.randn(4, 3, 8, 8)
    d(x)
    assert d.inner.data.shape == (6, 8, 8)
    assert d.inner.data.value_range == (-1.0, 1.0)
    assert torch.equal(d.inner.x, torch.stack([torch.cat([x[0], x[1]]), torch.cat([x[2], x[3]])]))


def test_packs_of_one_are_the_discriminator_itself():
    d = Packed(POINTS, discriminator=small_maxout, degree=1)
    x = torch.randn(5, 2)
    assert torch.equal(d(x), small_maxout(POINTS)(x))


def test_packs_of_packs_count_their_samples():
    d = Packed(POINTS, discriminator=lambda data: Packed(data, discriminator=small_maxout, degree=2), degree=3)
    assert d.pack == 6
    assert d(torch.randn(12, 2)).shape == (2,)
    with pytest.raises(ValueError, match="9 samples do not divide into packs of 6; 6 or 12 would"):
        d(torch.randn(9, 2))


def test_the_gradient_of_a_logit_reaches_the_samples_of_its_pack_alone():
    d = Packed(POINTS, discriminator=small_maxout, degree=2)
    x = torch.randn(6, 2, requires_grad=True)
    d(x)[1].backward()
    assert x.grad.abs().sum(1).gt(0).tolist() == [False, False, True, True, False, False]


def test_the_packed_discriminator_gets_no_labels():
    d = Packed(PICTURES, discriminator=Recording, degree=2)
    d(torch.randn(4, 3, 8, 8), torch.tensor([1, 2, 3, 4]))
    assert d.inner.labels is None


def test_a_batch_that_does_not_divide_into_packs_is_refused():
    d = Packed(POINTS, discriminator=small_maxout, degree=4)
    with pytest.raises(ValueError, match=r"^10 samples do not divide into packs of 4; 8 or 12 would$"):
        d(torch.randn(10, 2))
    with pytest.raises(ValueError, match=r"^3 samples do not divide into packs of 4; 4 would$"):
        d(torch.randn(3, 2))


def test_a_degree_below_one_is_refused():
    with pytest.raises(ValueError, match="degree = 0 must be at least 1"):
        Packed(POINTS, discriminator=small_maxout, degree=0)


@pytest.mark.parametrize("options", [{"degree": 3}, {}])
def test_a_trial_whose_batches_divide_into_packs_is_not_skipped(options):
    assert Packed.skip(trial(batch_size=12, **options)) is None


def test_a_trial_whose_batches_do_not_divide_into_packs_is_skipped():
    assert Packed.skip(trial(batch_size=64, degree=3)) == (
        "batch_size = 64 samples do not divide into packs of 3; 63 or 66 would"
    )
    assert Packed.skip(trial(batch_size=5)) is not None  # two, unless the suite says otherwise


def test_a_discriminator_that_contains_a_packed_one_answers_for_itself():
    assert Packed.skip(trial(batch_size=5, discriminator="another", degree=2)) is None
