"""MIND, the Vendi ratio, authenticity and C_T equal their definitions, and answer known cases."""

import math

import numpy as np
import pytest
import torch

from ganbench import CannotScore
from ganbench.builtin.metrics.mind import Mind
from ganbench.builtin.metrics.novelty import Authenticity, DataCopying
from ganbench.builtin.metrics.vendi import Vendi, vendi_score


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# --- MIND ------------------------------------------------------------------------------------------------


def test_mind_is_the_mean_over_directions_of_squared_gaps_between_sorted_projections(score_rows):
    fake, real = 1.5 * normal(1, 300, 12) + 0.2, normal(2, 300, 12)
    directions = torch.randn(12, 700, generator=torch.Generator().manual_seed(0))  # those that it draws
    total = 0.0
    for direction in (directions / directions.norm(dim=0)).T.double().numpy():
        gaps = np.sort(fake.double().numpy() @ direction) - np.sort(real.double().numpy() @ direction)
        total += (gaps**2).mean()
    found = score_rows(Mind, fake, real, directions=700)[""]
    assert float(found) == pytest.approx(3 * 12 * total / 700, rel=1e-5) and found.biased


def test_mind_of_a_shift_is_three_times_its_square(score_rows):
    """The mean of (u.s)^2 over unit directions u is |s|^2 / dim."""
    real, shift = normal(1, 400, 10), torch.full((10,), 0.5)
    assert float(score_rows(Mind, real + shift, real, directions=5000)[""]) == pytest.approx(3 * 2.5, rel=0.05)
    assert float(score_rows(Mind, real.flip(0), real)[""]) == 0


@pytest.mark.parametrize(("n", "m"), [(300, 900), (900, 300)])
def test_mind_takes_as_many_of_the_larger_part_as_the_smaller_has(n, m, score_rows):
    values = [float(score_rows(Mind, normal(1, i, 10), normal(2, j, 10))[""]) for i, j in ((n, m), (300, 300))]
    assert values[0] == pytest.approx(values[1], rel=0.35)


# --- Vendi -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [5, 80])
def test_vendi_is_the_exponential_of_the_entropy_of_the_similarities(dim):
    rows = normal(1, 40, dim).double().numpy()
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    spectrum = np.clip(np.linalg.eigvalsh(rows @ rows.T / 40), 1e-300, None)
    expected = np.exp(-(spectrum * np.log(spectrum)).sum())
    assert float(vendi_score(torch.from_numpy(rows))) == pytest.approx(expected, rel=1e-9)


def test_vendi_is_1_for_the_reals_and_falls_to_one_sample_for_copies_of_one(score_rows):
    real = normal(1, 60, 400)  # nearly orthogonal: as many as there are
    assert float(score_rows(Vendi, real.flip(0), real)[""]) == pytest.approx(1)
    copies = real[:1].expand(60, -1)
    assert float(score_rows(Vendi, copies, real)[""]) == pytest.approx(1 / float(vendi_score(real)), rel=1e-6)
    assert float(score_rows(Vendi, copies, real)[""]) == pytest.approx(1 / 60, rel=0.15)
    assert float(score_rows(Vendi, real[:30].repeat(2, 1), real)[""]) == pytest.approx(0.5, rel=0.15)


# --- novelty ---------------------------------------------------------------------------------------------


def test_copies_are_not_authentic_and_about_half_of_new_samples_are(score_rows):
    training, new = normal(1, 800, 10), normal(2, 600, 10)
    assert float(score_rows(Authenticity, training[:300], new, training)[""]) == 0
    found = score_rows(Authenticity, new, normal(3, 100, 10), training)[""]
    assert float(found) == pytest.approx(0.5, abs=0.15)
    assert found.low < found.value < found.high and found.high - found.low < 0.1


def test_authenticity_equals_its_definition(score_rows):
    training, fake = normal(1, 90, 4), normal(2, 50, 4)
    own = torch.cdist(training.double(), training.double()).fill_diagonal_(math.inf).min(dim=1).values
    distances, nearest = torch.cdist(fake.double(), training.double()).min(dim=1)
    expected = float((distances > own[nearest]).double().mean())
    assert float(score_rows(Authenticity, fake, fake, training)[""]) == expected


def test_data_copying_tells_near_copies_from_new_samples_and_from_bad_ones(score_rows):
    training, held_out, new = normal(1, 1000, 6), normal(2, 500, 6), normal(3, 500, 6)
    near = training[:500] + 0.05 * normal(4, 500, 6)
    z = [float(score_rows(DataCopying, fake, held_out, training)[""]) for fake in (near, new, 2 * new)]
    assert z[0] < -3 and abs(z[1]) < 3 and z[2] > 3


def test_samples_where_no_held_out_ones_are_cannot_be_compared(score_rows):
    """All generated samples in a cell of their own, which holds no ten held-out ones."""
    training = torch.cat([normal(1, 100, 3), normal(2, 100, 3) + 50])
    held_out, fake = normal(3, 100, 3), normal(4, 100, 3) + 50
    assert math.isnan(float(score_rows(DataCopying, fake, held_out, training, cells=2)[""]))


# --- bad input -------------------------------------------------------------------------------------------

ALL = pytest.mark.parametrize("kind", [Mind, Vendi, Authenticity, DataCopying])


@ALL
def test_too_few_or_spoiled_samples_have_no_score(kind, score_rows):
    rows, training = normal(1, 40, 5), normal(2, 60, 5)
    spoiled = rows.clone()
    spoiled[7, 1] = math.nan
    fewest = kind.min_samples
    with pytest.raises(CannotScore, match=f"at least {fewest} generated samples, and there are {fewest - 1}"):
        score_rows(kind, rows[: fewest - 1], rows, training)
    with pytest.raises(CannotScore, match=r"1 of 40 (real|training) samples have features that are not finite"):
        score_rows(kind, rows, spoiled, spoiled)
    assert math.isnan(float(score_rows(kind, spoiled, rows, training)[""]))


@ALL
def test_constant_samples_score_finite_numbers(kind, score_rows):
    real, training = normal(1, 200, 5), normal(2, 300, 5)
    found = score_rows(kind, torch.full((100, 5), 0.1), real, training)[""]
    assert math.isfinite(float(found))
