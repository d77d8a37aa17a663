"""The distances agree with scipy in one dimension, and behave as distances."""

import math

import pytest
import torch
from scipy import stats

BOTH = pytest.mark.parametrize("name", ["energy-distance", "sliced-wasserstein"])


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@BOTH
def test_the_distance_of_a_set_from_itself_is_zero(name, build, samples_of):
    x = normal(0, 700, 3)
    assert build(name).score(samples_of(x, x)) == {name: pytest.approx(0, abs=1e-6)}


@BOTH
def test_the_distance_is_small_for_one_distribution_and_grows_with_a_shift(name, build, samples_of):
    fake, real = normal(0, 1500, 2), normal(1, 1500, 2)
    distances = [build(name).score(samples_of(fake + shift, real))[name] for shift in (0.0, 0.3, 1.0, 3.0)]
    assert distances[0] < 0.06
    assert distances == sorted(distances)
    assert distances[1] > 2 * distances[0]


@BOTH
def test_the_distance_is_symmetric(name, build, samples_of):
    x, y = normal(0, 40, 2), normal(1, 30, 2) + 1
    assert build(name).score(samples_of(x, y)) == pytest.approx(build(name).score(samples_of(y, x)))


@BOTH
def test_images_are_compared_pixel_by_pixel(name, build, samples_of):
    x, y = normal(0, 20, 3, 8, 8), normal(1, 20, 3, 8, 8)
    assert build(name).score(samples_of(x, y)) == pytest.approx(
        build(name).score(samples_of(x.flatten(1), y.flatten(1)))
    )


def test_energy_distance_is_the_square_of_scipys_in_one_dimension(build, samples_of):
    x, y = normal(0, 700, 1), 1.5 * normal(1, 611, 1) + 0.2  # more rows than a block
    expected = stats.energy_distance(x[:, 0].numpy(), y[:, 0].numpy()) ** 2
    assert build("energy-distance").score(samples_of(x, y))["energy-distance"] == pytest.approx(expected, rel=1e-6)


def test_energy_distance_of_two_point_masses_is_twice_their_distance(build, samples_of):
    fake, real = torch.zeros(10, 2), torch.tensor([[3.0, 4.0]]).expand(20, 2)
    assert build("energy-distance").score(samples_of(fake, real))["energy-distance"] == pytest.approx(10)


@pytest.mark.parametrize(("n", "m"), [(300, 300), (300, 77), (77, 300), (5, 1)])
def test_sliced_wasserstein_is_scipys_wasserstein_in_one_dimension(n, m, build, samples_of):
    x, y = normal(0, n, 1), 1.5 * normal(1, m, 1) + 0.2
    expected = stats.wasserstein_distance(x[:, 0].numpy(), y[:, 0].numpy())
    assert build("sliced-wasserstein").score(samples_of(x, y))["sliced-wasserstein"] == pytest.approx(
        expected, rel=1e-6
    )


def test_sliced_wasserstein_of_a_shift_is_the_mean_length_of_its_projections(build, samples_of):
    x = normal(0, 100, 2)
    scores = build("sliced-wasserstein", projections=4000).score(samples_of(x + torch.tensor([3.0, 4.0]), x))
    assert scores["sliced-wasserstein"] == pytest.approx(5 * 2 / math.pi, rel=0.03)  # mean |cos| over a circle


def test_sliced_wasserstein_ties_are_resolved_exactly(build, samples_of):
    x, y = torch.tensor([[0.0], [0.0], [1.0]]), torch.tensor([[0.0], [1.0], [1.0], [1.0], [1.0], [1.0]])
    assert build("sliced-wasserstein").score(samples_of(x, y))["sliced-wasserstein"] == pytest.approx(0.5)
