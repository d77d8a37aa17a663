"""The Fréchet distance equals torch-fidelity's in float64, and says where it is of something else."""

import math

import numpy as np
import pytest
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from ganbench import CannotScore
from ganbench.builtin.metrics.frechet import (
    Frechet,
    FrechetInfinity,
    covariance_root,
    deviations,
    distance_of_gaussians,
    mean_of,
    scatter,
)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def mixed(seed, n, dim):
    """Correlated features, of which some are dead."""
    rows = normal(seed, n, dim) @ (normal(0, dim, dim) / math.sqrt(dim)) + 0.2 * normal(seed + 1, n, dim)
    return rows.relu()


def reference(fake, real):
    """torch-fidelity's result on float64 features."""
    statistics = [fid_features_to_statistics(part.double()) for part in (fake, real)]
    return fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]


@pytest.mark.parametrize(("n", "m", "dim"), [(400, 400, 64), (300, 700, 40), (900, 700, 528)])
def test_it_equals_the_reference(n, m, dim, score_rows):
    fake, real = 1.1 * mixed(1, n, dim) + 0.1, mixed(2, m, dim)
    found = score_rows(Frechet, fake, real)[""]
    assert float(found) == pytest.approx(reference(fake, real), rel=1e-6)
    assert found.biased and found.space == "" and math.isnan(found.low)


def test_it_equals_the_reference_on_features_of_real_pictures(picture_rows, score_rows):
    fake, real = picture_rows
    assert float(score_rows(Frechet, fake, real)[""]) == pytest.approx(reference(fake, real), rel=1e-6)


@pytest.mark.parametrize("n", [60, 99, 100])
def test_its_functions_equal_the_reference_with_fewer_samples_than_dimensions(n):
    fake, real = mixed(1, n, 100), mixed(2, 80, 100) + 0.3
    (mean, root), (other, other_root) = (deviations(part.double()) for part in (fake, real))
    value = distance_of_gaussians(mean, root, other, other_root)
    assert value == pytest.approx(reference(fake, real), rel=1e-5)


@pytest.mark.parametrize("offset", [0, 1000])
def test_a_large_mean_costs_no_digits(offset, score_rows):
    fake, real = mixed(1, 300, 16) + offset, 2 * mixed(2, 300, 16) + offset
    assert float(score_rows(Frechet, fake, real)[""]) == pytest.approx(reference(fake, real), rel=1e-6)


@pytest.mark.parametrize("dim", [24, 520])
def test_a_set_is_at_no_distance_from_itself(dim, score_rows):
    rows = mixed(1, 600, dim)
    assert 0 <= float(score_rows(Frechet, rows, rows)[""]) < 1e-9 * float(rows.double().var(dim=0).sum())


def test_dead_and_repeated_features_change_nothing_but_what_they_add(score_rows):
    fake, real = mixed(1, 300, 20) + 0.2, mixed(2, 300, 20)
    alone = float(score_rows(Frechet, fake, real)[""])
    dead = [torch.cat([part, torch.full((300, 7), 3.0)], dim=1) for part in (fake, real)]
    twice = [torch.cat([part, part], dim=1) for part in (fake, real)]
    assert float(score_rows(Frechet, *dead)[""]) == pytest.approx(alone, rel=1e-9)
    assert float(score_rows(Frechet, *twice)[""]) == pytest.approx(2 * alone, rel=1e-6)


def test_repeated_samples_are_as_their_covariance_says(score_rows):
    fake, real = mixed(1, 50, 20).repeat(8, 1), mixed(2, 400, 20)
    assert float(score_rows(Frechet, fake, real)[""]) == pytest.approx(reference(fake, real), rel=1e-5)


def test_constant_features_are_at_the_distance_of_the_means_plus_the_other_variance(score_rows):
    real, constant = mixed(2, 400, 20), torch.full((300, 20), 0.5)
    expected = float((real.double().mean(0) - 0.5).square().sum() + real.double().var(dim=0).sum())
    assert float(score_rows(Frechet, constant, real)[""]) == pytest.approx(expected, rel=1e-9)
    assert float(score_rows(Frechet, real, constant)[""]) == pytest.approx(expected, rel=1e-9)
    assert float(score_rows(Frechet, constant, constant)[""]) == 0


def test_fewer_samples_than_dimensions_are_compared_in_principal_directions_of_the_reals(score_rows):
    fake, real = mixed(1, 96, 200), mixed(2, 500, 200)
    found = score_rows(Frechet, fake, real)[""]
    assert found.space == "(3 principal directions)"
    directions = torch.from_numpy(np.linalg.eigh(np.cov(real.double().numpy(), rowvar=False))[1][:, -3:].copy())
    projected = reference(fake.double() @ directions, real.double() @ directions)
    assert float(found) == pytest.approx(projected, rel=1e-6)


@pytest.mark.parametrize("dim", [40, 512, 515, 1030])
def test_a_scatter_matrix_is_summed_whole_from_blocks_of_its_upper_half(dim):
    rows = normal(0, 2100, dim)
    centred = rows.double() - rows.double().mean(dim=0)
    torch.testing.assert_close(scatter(rows, mean_of(rows), 2.0), centred.T @ centred / 4, rtol=1e-10, atol=1e-8)


def test_the_root_of_a_singular_covariance_gives_it_back():
    rows = normal(0, 5, 12).double()
    covariance = rows.T @ rows
    root = covariance_root(covariance)
    torch.testing.assert_close(root.T @ root, covariance)


def test_the_extrapolation_takes_the_bias_away(score_rows):
    """Of two Gaussians at a distance that is known."""
    dim, shift = 32, 0.2
    fake, real = normal(1, 4000, dim) + shift, normal(2, 40_000, dim)
    expected = dim * shift**2
    plain, found = float(score_rows(Frechet, fake[:1000], real)[""]), score_rows(FrechetInfinity, fake, real)
    assert abs(float(found[""]) - expected) < 0.25 * abs(plain - expected)
    assert float(found["slope"]) > 0 and 0.5 < float(found["r2"]) <= 1


def test_too_few_or_spoiled_samples_have_no_distance(score_rows):
    rows = mixed(1, 80, 8)
    spoiled = rows.clone()
    spoiled[3, 2] = math.nan
    with pytest.raises(CannotScore, match="at least 2 generated samples, and there are 1"):
        score_rows(Frechet, rows[:1], rows)
    with pytest.raises(CannotScore, match="at least 60 generated samples, and there are 59"):
        score_rows(FrechetInfinity, rows[:59], rows)
    for kind in (Frechet, FrechetInfinity):
        with pytest.raises(CannotScore, match="at least 2 real samples, and there are 1"):
            score_rows(kind, rows, rows[:1])
        with pytest.raises(CannotScore, match="1 of 80 real samples have features that are not finite"):
            score_rows(kind, rows, spoiled)
        assert all(math.isnan(float(value)) for value in score_rows(kind, spoiled, rows).values())
