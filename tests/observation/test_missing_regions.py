"""Regions that generated samples are missing from are seen; a style that all of them share is not one."""

from __future__ import annotations

import pytest
import torch

from ganbench.observation.missing_regions import scan_regions

CLEAR = 4.0  # standard errors


def classes(n: int, shares: list[float], seed: int, width: int = 40) -> torch.Tensor:
    """Samples of ten overlapping classes with the shares given."""
    random = torch.Generator().manual_seed(seed)
    centres = torch.randn(10, width, generator=torch.Generator().manual_seed(99))
    which = torch.multinomial(torch.tensor(shares), n, replacement=True, generator=random)
    return centres[which] + 0.7 * torch.randn(n, width, generator=random)


EVEN = [0.1] * 10


@pytest.mark.parametrize("seed", range(5))
def test_samples_of_all_classes_lack_no_region(seed):
    deviation, lacking = scan_regions(classes(1500, EVEN, seed), classes(1000, EVEN, seed + 50))
    assert deviation < CLEAR and lacking < 0.05


@pytest.mark.parametrize(
    ("shares", "missing"),
    [
        pytest.param([0.1] * 9 + [0.0], 0.1, id="one of ten classes"),
        pytest.param([0.1] * 5 + [0.0] * 5, 0.5, id="half of the classes"),
        pytest.param([0.1] * 8 + [0.01] * 2, 0.18, id="two classes ten times too rare"),
    ],
)
def test_missing_classes_are_a_missing_region(shares, missing):
    deviation, lacking = scan_regions(classes(1500, EVEN, 1), classes(1000, shares, 2))
    assert deviation > CLEAR
    assert missing / 4 < lacking < missing + 0.05  # a part of it: a region is a neighbourhood


@pytest.mark.parametrize("seed", range(4))
def test_classes_that_are_only_less_frequent_are_reached_all_the_same(seed):
    deviation, _ = scan_regions(classes(1500, EVEN, seed), classes(1000, [0.1] * 8 + [0.06] * 2, seed + 10))
    assert deviation < CLEAR


@pytest.mark.parametrize("style", [lambda x: 0.7 * x, lambda x: x + 0.5, lambda x: 1.3 * x - 0.3])
def test_a_style_that_all_samples_share_is_no_missing_region(style):
    real, fake = classes(1500, EVEN, 1), classes(1000, EVEN, 2)
    assert scan_regions(real, style(fake))[0] < CLEAR
    lost = classes(1000, [0.1] * 9 + [0.0], 2)
    assert scan_regions(real, style(lost))[0] > CLEAR


def test_a_collapsed_generator_is_not_stretched_to_look_like_the_data():
    real = classes(1500, EVEN, 1)
    assert scan_regions(real, real[:1] + 0.01 * torch.randn(1000, 40))[0] > CLEAR


@pytest.mark.parametrize(
    ("real", "fake"),
    [
        pytest.param(torch.ones(24, 5), torch.zeros(16, 5), id="equal rows"),
        pytest.param(torch.randn(24, 1), torch.randn(16, 1), id="one value"),
        pytest.param(torch.randn(16, 300), torch.full((16, 300), torch.nan), id="not finite"),
        pytest.param(torch.full((16, 3), torch.inf), torch.randn(16, 3), id="data that is not finite"),
    ],
)
def test_samples_that_show_nothing_give_numbers_all_the_same(real, fake):
    deviation, lacking = scan_regions(real, fake)
    assert deviation.isfinite() and 0 <= lacking <= 1


def test_the_same_samples_give_the_same_numbers_and_no_random_number_of_the_program_is_drawn():
    real, fake = classes(300, EVEN, 1), classes(200, EVEN, 2)
    state = torch.get_rng_state()
    assert scan_regions(real, fake) == scan_regions(real, fake)
    assert torch.equal(torch.get_rng_state(), state)
