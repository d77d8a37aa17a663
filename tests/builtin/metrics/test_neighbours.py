"""Precision, recall, density and coverage equal the published formulas exactly, and the clipped ones are linear."""

import math

import pytest
import torch
from torch_fidelity.metric_prc import prc_features_to_metric

from ganbench import CannotScore
from ganbench.builtin.metrics.neighbours import ClippedDensityCoverage, Prdc, expected_share, linear_coverage
from ganbench.builtin.metrics.pairs import _distances_of_pairs, compare_between, compare_within


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def integers(seed, n, dim, high):
    return torch.randint(high, (n, dim), generator=torch.Generator().manual_seed(seed)).float()


def two_clusters(seed, n):
    """Two tight clusters far apart, whose distances float32 products cannot tell."""
    return 1e-5 * normal(seed, n, 6) + 10.0 * (torch.arange(n) % 2)[:, None]


CASES = {
    "spread": (normal(1, 300, 8), normal(2, 300, 8)),
    "several blocks": (normal(1, 1100, 4) + 0.5, normal(2, 1300, 4)),
    "unequal counts": (normal(1, 90, 8), 1.3 * normal(2, 400, 8)),
    "ties": (integers(1, 200, 3, 4), integers(2, 220, 3, 4)),
    "repeated samples": (normal(1, 20, 5).repeat(10, 1), normal(2, 200, 5)),
    "repeated reals": (normal(1, 200, 5), normal(2, 20, 5).repeat(10, 1)),
    "the same set": (normal(1, 150, 5), normal(1, 150, 5)),
    "constant samples": (torch.ones(50, 5), normal(2, 100, 5)),
    "constant reals": (normal(2, 100, 5), torch.ones(50, 5)),
    "all constant": (torch.ones(50, 5), torch.ones(60, 5)),
    "a far outlier": (normal(1, 200, 5), torch.cat([normal(2, 199, 5), torch.full((1, 5), 1e5)])),
    "a large mean": (normal(1, 200, 5) + 1000, normal(2, 200, 5) + 1000),
    "tight clusters": (two_clusters(1, 100), two_clusters(2, 120)),
}
case = pytest.mark.parametrize("case", CASES)


def squared_distances(x, y):
    """In float64, from differences."""
    x, y = x.double(), y.double()
    return torch.stack([(row - y).square().sum(dim=1) for row in x])


def radii(points, k):
    return squared_distances(points, points).kthvalue(k + 1, dim=1).values  # the first is the point itself


def published(fake, real, k):
    """Density and coverage as their authors define them, and precision and recall as theirs do."""
    between, of_real, of_fake = squared_distances(real, fake), radii(real, k)[:, None], radii(fake, k)[None, :]
    return {
        "precision": float((between <= of_real).any(dim=0).double().mean()),
        "recall": float((between <= of_fake).any(dim=1).double().mean()),
        "density": float((between < of_real).sum(dim=0).double().mean()) / k,
        "coverage": float((between.min(dim=1).values < of_real[:, 0]).double().mean()),
    }


def values(estimates):
    return {key: float(value) for key, value in estimates.items()}


@case
def test_it_equals_the_published_formulas(case, score_rows):
    fake, real = CASES[case]
    for k in (1, 5):
        assert values(score_rows(Prdc, fake, real, neighbours=k)) == published(fake, real, k)


@pytest.mark.parametrize("case", ["spread", "unequal counts", "ties", "repeated samples", "a far outlier"])
def test_precision_and_recall_equal_torch_fidelitys(case, score_rows):
    fake, real = CASES[case]
    for k in (3, 5):
        found = values(score_rows(Prdc, fake, real, neighbours=k))
        theirs = prc_features_to_metric(fake.double(), real.double(), prc_neighborhood=k, verbose=False)
        assert {key: found[key] for key in ("precision", "recall")} == pytest.approx(
            {key: theirs[key] for key in ("precision", "recall")}, rel=1e-6
        )  # whose mean is of float32


def test_it_equals_the_published_formulas_on_features_of_real_pictures(picture_rows, score_rows):
    fake, real = picture_rows
    assert values(score_rows(Prdc, fake, real)) == published(fake, real, 5)
    theirs = prc_features_to_metric(fake.double(), real.double(), prc_neighborhood=3, verbose=False)
    found = values(score_rows(Prdc, fake, real, neighbours=3))
    assert (found["precision"], found["recall"]) == pytest.approx((theirs["precision"], theirs["recall"]), rel=1e-6)


@case
def test_the_nearest_are_those_of_float64(case):
    points = CASES[case][1]
    expected = squared_distances(points, points).fill_diagonal_(math.inf).sort(dim=1).values[:, :5]
    assert torch.equal(compare_within(points, 5).nearest, expected)


def test_a_collapsed_generator_costs_no_more_than_another():
    """All of its distances are within rounding of each other: they must not be looked at one by one."""
    collapsed = two_clusters(0, 3000)
    nearest = compare_within(collapsed, 5).nearest
    assert nearest.shape == (3000, 5) and float(nearest.max()) < 1e-9


def test_pairs_of_repeated_samples_are_compared_once(monkeypatch):
    """A network whose features are all constant has no pair of which float32 is certain."""
    compared = []
    monkeypatch.setattr(
        "ganbench.builtin.metrics.pairs._distances_of_pairs",
        lambda x, y, i, j: compared.append(len(i)) or _distances_of_pairs(x, y, i, j),
    )
    constant, radii = torch.ones(900, 40), torch.zeros(900, dtype=torch.float64)
    found = compare_between(constant, constant, radii, radii)
    assert max(compared[::2]) == 900**2 and compared[1::2] == [1, 1]  # the second call is of the different ones
    assert found.fake_near_real.all() and found.real_near_fake.all() and not found.fakes_in_real.any()


# --- clipped ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "m"), [(1000, 1000), (600, 1500), (1500, 600)])
def test_real_samples_score_1_and_bad_ones_cost_their_share(n, m, score_rows):
    """Bad samples are far from all real ones; the mean is over draws."""
    for share in (0.0, 0.3, 0.6, 1.0):
        found = []
        for seed in range(4):
            fake, real = normal(10 + seed, n, 6), normal(20 + seed, m, 6)
            fake[: round(share * n)] += 100
            found.append(values(score_rows(ClippedDensityCoverage, fake, real)))
        for key in ("density", "coverage"):
            assert sum(each[key] for each in found) / 4 == pytest.approx(1 - share, abs=0.05), (key, share)


def test_outliers_among_the_reals_do_not_raise_clipped_density(score_rows):
    fake, real = normal(1, 400, 4) + 50, normal(2, 400, 4)
    real[:8] = 50 + 20 * normal(3, 8, 4)  # a few far ones, whose balls hold all of the bad samples
    clipped = values(score_rows(ClippedDensityCoverage, fake, real))
    assert clipped["density"] < 0.05 and values(score_rows(Prdc, fake, real))["precision"] > 0.5


def test_a_sample_that_is_not_finite_is_a_bad_one(score_rows):
    fake, real = normal(1, 500, 6), normal(2, 500, 6)
    far, broken = fake.clone(), fake.clone()
    far[:200], broken[:200] = 1e4, math.nan
    expected = values(score_rows(ClippedDensityCoverage, far, real))
    assert values(score_rows(ClippedDensityCoverage, broken, real)) == pytest.approx(expected, abs=1e-9)


def test_the_expected_share_is_what_simulation_gives():
    m, n, k = 40, 25, 3
    random = torch.Generator().manual_seed(0)
    shares = []
    for _ in range(3000):  # in one dimension, by ranks alone
        real, fake = torch.rand(m, generator=random), torch.rand(n, generator=random)
        centre, others = real[0], real[1:]
        radius = (others - centre).abs().sort().values[k - 1]
        shares.append(min(int(((fake - centre).abs() <= radius).sum()), k) / k)
    assert expected_share(1.0, m, n, k) == pytest.approx(sum(shares) / len(shares), abs=0.02)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_the_share_of_good_samples_is_found_from_what_is_expected(share):
    assert linear_coverage(expected_share(share, 400, 300, 5), 400, 300, 5) == pytest.approx(share, abs=1 / 300)


@pytest.mark.parametrize(("kind", "needed"), [(Prdc, 6), (ClippedDensityCoverage, 12)])
def test_too_few_or_spoiled_samples_have_no_score(kind, needed, score_rows):
    rows = normal(1, 40, 5)
    spoiled = rows.clone()
    spoiled[7, 1] = math.inf
    for fake, real in ((rows[: needed - 1], rows), (rows, rows[: needed - 1])):
        with pytest.raises(CannotScore, match=f"at least {needed} samples of each kind, and there are {needed - 1}"):
            score_rows(kind, fake, real)
    with pytest.raises(CannotScore, match="1 of 40 real samples have features that are not finite"):
        score_rows(kind, rows, spoiled)
