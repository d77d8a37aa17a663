"""Estimates of few seeds have intervals that cover, and none where no spread was seen."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ganbench.results.statistics import area_under_curve, iqm, iqm_interval, paired_difference, wilson_interval


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


def test_the_interquartile_mean_ignores_the_tails():
    assert iqm(array(0, 10, 11, 1000)) == pytest.approx(10.5)
    assert iqm(array(3, 4, 8)) == pytest.approx(5)
    assert math.isnan(iqm(array()))


def test_lost_seeds_pull_the_interquartile_mean_down_only_beyond_a_quarter():
    assert iqm(array(-math.inf, 2, 3, 4, 5)) == pytest.approx(3)
    assert iqm(array(-math.inf, -math.inf, 3, 4, 5)) == -math.inf


def test_the_interval_of_three_seeds_is_students():
    low, high = iqm_interval(array(1, 2, 3))
    assert (low, high) == pytest.approx((2 - 4.3027 / math.sqrt(3), 2 + 4.3027 / math.sqrt(3)), abs=1e-3)


def test_there_is_no_interval_where_no_spread_was_seen():
    assert all(math.isnan(end) for end in [*iqm_interval(array(1.0)), *iqm_interval(array(8, 8, 8))])


@pytest.mark.parametrize("n", [3, 5, 10])
def test_intervals_cover_the_interquartile_mean_of_skewed_scores(n):
    rng = np.random.default_rng(n)
    target = iqm(np.exp(rng.normal(size=400_000)))
    intervals = [iqm_interval(np.exp(rng.normal(size=n))) for _ in range(1500)]
    assert 0.91 <= np.mean([low <= target <= high for low, high in intervals]) <= 0.98


def test_wilson_intervals_agree_with_published_ones():
    # Brown, Cai and DasGupta 2001: 0 of 3 and 10 of 20 at 95 %.
    assert wilson_interval(0, 3) == pytest.approx((0.0, 0.5615), abs=1e-3)
    assert wilson_interval(10, 20) == pytest.approx((0.2993, 0.7007), abs=1e-3)


def test_a_difference_is_paired_by_seed_and_skips_seeds_that_either_lost():
    ours, theirs = array(11, 21, 31, -math.inf, 7), array(10, 20.5, 30, 3, math.nan)
    difference = paired_difference(ours, theirs)
    assert difference.pairs == 3
    assert difference.value == pytest.approx(21 - 20.1666, abs=1e-3)
    assert difference.high - difference.low < 2, "seeds differ by 10, methods by less than 1"
    turned = paired_difference(theirs, ours)
    assert (turned.value, turned.low, turned.high) == pytest.approx(
        (-difference.value, -difference.high, -difference.low)
    )


def test_the_area_under_a_curve_weights_by_steps():
    assert area_under_curve(array(10, 20, 40), array(0, 1, 1)) == pytest.approx((5 + 20) / 30)
    assert area_under_curve(array(10), array(3)) == 3
