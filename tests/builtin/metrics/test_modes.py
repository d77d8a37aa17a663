"""Mode coverage follows PacGAN's protocol."""

import math

import pytest
import torch

import ganbench


@pytest.fixture
def score(build, samples_of):
    def score(fake, modes):
        return build("modes").score(samples_of(fake, fake[:2], modes))

    return score


def test_a_perfect_sampler_reaches_the_known_high_quality_share(score, ring, draw):
    scores = score(draw(ring, 200_000), ring)
    assert scores["high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=0.001)  # 4 standard errors
    assert scores["covered"] == 8


@pytest.mark.parametrize("k", [8, 25])
def test_a_perfect_sampler_reaches_the_known_reverse_kl(k, score, draw):
    modes = ganbench.Modes(torch.stack([torch.arange(k) * 1.0, torch.zeros(k)], dim=1), 0.01)
    n, runs = 2500, 100
    mean = sum(score(draw(modes, n, seed=seed), modes)["reverse_kl"] for seed in range(runs)) / runs
    expected = (k - 1) / (2 * n)
    assert mean == pytest.approx(expected, rel=4 * math.sqrt(2 / (k - 1) / runs))  # 4 standard errors, chi-squared


def test_dropped_modes_are_detected(score, ring, draw):
    scores = score(draw(ring, 4000, only=2), ring)
    assert scores["covered"] == 2
    assert scores["reverse_kl"] == pytest.approx(math.log(4), abs=0.01)
    assert scores["high_quality"] == pytest.approx(0.989, abs=0.01)


def test_a_sample_is_of_high_quality_within_three_sigma_of_its_nearest_mode(score):
    modes = ganbench.Modes(torch.tensor([[0.0, 0.0], [10.0, 0.0]]), 1.0)
    fake = torch.tensor([[0.0, 2.9], [0.0, 3.1], [2.5, 2.5], [10.0, -2.9]])  # the third: near per axis, not in L2
    scores = score(fake, modes)
    assert scores == {"covered": 2.0, "high_quality": 0.5, "reverse_kl": 0.0}


def test_uneven_modes_score_the_kl_of_their_histogram(score):
    modes = ganbench.Modes(torch.tensor([[0.0, 0.0], [10.0, 0.0]]), 1.0)
    fake = torch.tensor([[0.0, 0.0]] * 3 + [[10.0, 0.0]])
    assert score(fake, modes)["reverse_kl"] == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5))


def test_no_high_quality_sample_scores_the_worst_kl(score, ring):
    assert score(torch.full((50, 2), 7.0), ring) == {
        "covered": 0.0,
        "high_quality": 0.0,
        "reverse_kl": pytest.approx(math.log(8)),
    }


def test_a_non_finite_sample_is_a_sample_of_low_quality(score, ring):
    fake = torch.cat([ring.centres, torch.full((8, 2), math.nan)])
    assert score(fake, ring) == {
        "covered": 8.0,
        "high_quality": 0.5,
        "reverse_kl": pytest.approx(0, abs=1e-12),
    }


def test_noise_lowers_the_high_quality_share(score, ring, draw):
    fake = draw(ring, 2000)
    noisy = fake + 0.02 * torch.randn(fake.shape, generator=torch.Generator().manual_seed(0))
    assert score(noisy, ring)["high_quality"] < 0.8


def test_data_without_modes_is_refused_with_the_reason(build, samples_of):
    with pytest.raises(ValueError, match="needs a data set that states its modes"):
        build("modes").score(samples_of(torch.zeros(5, 2), torch.zeros(5, 2)))
