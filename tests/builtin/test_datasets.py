"""Data sets look as their spec says, and training never sees the held-out part."""

from __future__ import annotations

import pytest
import torch

from ganbench.contract.records import ComponentRef
from ganbench.registry.registry import load_registry

NAMES = ["ring", "grid", "hundred-gaussians", "digits", "stacked-digits"]


def dataset(name, **options):
    return load_registry().build("dataset", ComponentRef(name, options))


@pytest.mark.parametrize("name", NAMES)
def test_samples_are_as_the_spec_says(name):
    data = dataset(name)
    for batch in (data.training(), data.held_out()):
        assert batch.x.shape[1:] == data.spec.shape and batch.x.dtype == torch.float32
        assert len(data.spec.shape) == (1 if data.spec.kind == "points" else 3)
        if data.spec.value_range:
            low, high = data.spec.value_range
            assert low <= batch.x.min() and batch.x.max() <= high
        assert (batch.labels is not None) == (data.spec.classes > 0)


@pytest.mark.parametrize("name", NAMES)
def test_held_out_samples_are_not_among_the_training_ones_and_every_call_gives_the_same(name):
    training, held_out = dataset(name).training().x, dataset(name).held_out().x
    seen = {row.numpy().tobytes() for row in training.flatten(1)}
    assert not any(row.numpy().tobytes() in seen for row in held_out.flatten(1))
    assert torch.equal(training, dataset(name).training().x)


def test_digits_are_all_of_scikit_learns():
    data = dataset("digits")
    assert len(data.training().x) + len(data.held_out().x) == 1797
    assert set(data.training().labels.tolist()) == set(range(10))


def test_stacked_digits_put_three_training_digits_into_the_channels():
    digits = {row.numpy().tobytes() for row in dataset("digits").training().x[:, 0]}
    stacked = dataset("stacked-digits", size=20).training().x
    assert all(channel.contiguous().numpy().tobytes() in digits for image in stacked for channel in image)


@pytest.mark.parametrize("name, count, sigma", [("ring", 8, 0.01), ("grid", 25, 0.05)])
def test_defaults_follow_pacgans_protocol(name, count, sigma):
    data = dataset(name)
    assert len(data.modes.centres) == count == data.spec.modes and data.modes.sigma == sigma
    assert len(data.training().x) == 100_000
    distance, nearest = torch.cdist(data.training().x, data.modes.centres).min(1)
    assert nearest.bincount(minlength=count).float().std() / (100_000 / count) < 0.05
    assert (distance <= 3 * sigma).float().mean() == pytest.approx(0.98889, abs=0.002)


def test_the_modes_of_a_ring_are_evenly_spaced():
    centres = dataset("ring", modes=8, radius=2.0).modes.centres
    assert torch.pdist(centres).min() == pytest.approx(2 * 2.0 * 0.38268, abs=1e-4)
    assert torch.allclose(centres.norm(dim=1), torch.full((8,), 2.0))


def test_the_grid_is_centred_and_spaced():
    centres = dataset("grid", modes=9, spacing=3.0).modes.centres
    assert {tuple(c) for c in centres.tolist()} == {(x, y) for x in (-3.0, 0.0, 3.0) for y in (-3.0, 0.0, 3.0)}


@pytest.mark.parametrize("layout, nearest", [("grid", 1.0), ("rotated", 1.0), ("staggered", 1.0)])
def test_the_hundred_gaussians_are_ten_rows_of_ten_around_the_origin(layout, nearest):
    data = dataset("hundred-gaussians", layout=layout)
    centres = data.modes.centres
    assert len(centres) == 100 == data.spec.modes and data.modes.sigma == 0.03
    assert centres.mean(0).abs().max() < 1e-5
    assert torch.pdist(centres).min() == pytest.approx(nearest, abs=1e-5)
    distance, which = torch.cdist(data.training().x, centres).min(1)
    assert which.unique().numel() == 100
    assert (distance <= 0.09).float().mean() == pytest.approx(0.98889, abs=0.002)


def test_layouts_of_the_hundred_gaussians_differ_by_a_turn_and_by_a_shift_of_every_other_row():
    grid, turned, staggered = (
        dataset("hundred-gaussians", layout=layout).modes.centres for layout in ("grid", "rotated", "staggered")
    )
    assert torch.allclose(grid.norm(dim=1), turned.norm(dim=1), atol=1e-5)
    assert torch.allclose(torch.pdist(grid), torch.pdist(turned), atol=1e-4)
    assert turned[:, 0].unique().numel() > 10  # no coordinate alone says where a mode is
    assert torch.equal(staggered[:, 1], grid[:, 1])
    shift = staggered[:, 0] - grid[:, 0]
    rows = grid[:, 1].unique()
    assert [shift[grid[:, 1] == row].unique().item() for row in rows] == [-0.25, 0.25] * 5


@pytest.mark.parametrize(
    "name, options",
    [
        ("ring", {"modes": 0}),
        ("ring", {"sigma": 0.0}),
        ("grid", {"modes": 24}),
        ("hundred-gaussians", {"spacing": 0.0}),
        ("stacked-digits", {"size": 0}),
    ],
)
def test_options_out_of_range_are_refused(name, options):
    with pytest.raises(ValueError, match="|".join(options)):
        dataset(name, **options)


def test_shapes_are_drawn_exactly_in_ten_classes():
    options = {"size": 2000, "held_out": 500}
    data = dataset("shapes", **options)
    for batch, n in ((data.training(), 2000), (data.held_out(), 500)):
        assert batch.x.shape == (n, 3, 28, 28) and batch.x.dtype == torch.uint8
        assert set(batch.labels.tolist()) == set(range(10))
    batch = data.training()
    assert torch.equal(batch.x, dataset("shapes", **options).training().x)
    assert not torch.equal(batch.x[:500], data.held_out().x)
    red, _, blue = batch.x.float().amax(dim=(2, 3)).T
    assert torch.equal(red > blue, batch.labels < 5)  # warm or cold
    middle = batch.x[:, :, 11:17, 11:17].float().amax(dim=1).mean(dim=(1, 2))
    ring = batch.labels % 5 == 1
    assert middle[ring].max() < middle[batch.labels % 5 == 0].min()  # a ring is hollow, a disc is not


@pytest.mark.parametrize(("options", "said"), [({"side": 7}, "side = 7"), ({"size": 0}, "size = 0")])
def test_shapes_that_cannot_be_drawn_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        dataset("shapes", **options)
