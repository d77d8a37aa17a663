"""Intervals, ranks and verdicts say what few seeds can show, and a lost seed counts against its method."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganbench.results.statistics import (
    iqm,
    iqm_interval,
    min_p_value,
    p_better,
    p_value,
    rank_methods,
    wilson_interval,
)


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


def test_the_interquartile_mean_ignores_the_tails():
    assert iqm(array(0, 10, 11, 1000)) == pytest.approx(10.5)
    assert iqm(array(3, 4, 8)) == pytest.approx(5)
    assert math.isnan(iqm(array()))


def test_bootstrap_intervals_contain_the_estimate_repeat_and_need_two_seeds():
    values = array(1, 2, 3, 4, 9)
    low, high = iqm_interval(values)
    assert 1 <= low <= iqm(values) <= high <= 9
    assert iqm_interval(values) == (low, high)
    assert all(math.isnan(bound) for bound in iqm_interval(array(1.0)))


def test_wilson_intervals_agree_with_published_ones():
    # Brown, Cai and DasGupta 2001: 0 of 3 and 10 of 20 at 95 %.
    assert wilson_interval(0, 3) == pytest.approx((0.0, 0.5615), abs=1e-3)
    assert wilson_interval(10, 20) == pytest.approx((0.2993, 0.7007), abs=1e-3)


def test_the_smallest_p_values_of_few_seeds():
    assert min_p_value(3, 3) == pytest.approx(0.10)
    assert min_p_value(5, 5) == pytest.approx(0.008, abs=1e-3)
    assert p_value(array(1, 2, 3), array(4, 5, 6)) == pytest.approx(0.10)
    assert p_value(array(1, 2, 3, 4, 5), array(6, 7, 8, 9, 10)) == pytest.approx(min_p_value(5, 5))


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=5), st.lists(st.integers(-3, 3), min_size=1, max_size=5))
def test_the_probability_of_being_better_is_one_minus_the_reverse(ours, theirs):
    assert p_better(array(*ours), array(*theirs)) == pytest.approx(1 - p_better(array(*theirs), array(*ours)))
    assert 0 <= p_value(array(*ours), array(*theirs)) <= 1


def test_a_clear_difference_is_worse_with_five_seeds_and_inconclusive_with_three():
    three = rank_methods({"a": array(7, 8, 9), "b": array(1, 2, 3)})
    assert (three["a"].rank, three["b"].rank) == (1, 2)
    assert three["b"].verdict == "inconclusive" and three["a"].verdict == "inconclusive"
    assert three["b"].p_better == 1.0
    five = rank_methods({"a": array(6, 7, 8, 9, 10), "b": array(1, 2, 3, 4, 5)})
    assert five["b"].verdict == "worse" and five["a"].verdict == "best"


def test_overlapping_methods_are_tied_and_equal_ones_share_a_rank():
    mixed = rank_methods({"a": array(1, 3, 5, 7, 9), "b": array(2, 4, 5, 6, 8)})
    assert mixed["a"].rank == mixed["b"].rank == 1
    assert {mixed["a"].verdict, mixed["b"].verdict} == {"tied"}
    equal = rank_methods({"a": array(8, 8, 8), "b": array(8, 8, 8), "c": array(1, 8, 8)})
    assert (equal["a"].rank, equal["b"].rank, equal["c"].rank) == (1, 1, 3)
    assert equal["b"].verdict == "tied"


def test_a_lost_seed_lowers_the_rank_whatever_the_others_score():
    lost = -math.inf
    ranks = rank_methods({"steady": array(5, 5, 5), "lucky": array(9, lost, lost)})
    assert ranks["steady"].rank == 1 and ranks["lucky"].rank == 2


def test_a_single_method_is_best():
    assert rank_methods({"a": array(1, 2, 3)})["a"].verdict == "best"


def test_if_all_seeds_are_lost_every_verdict_is_inconclusive():
    lost = array(-math.inf, -math.inf)
    assert {rank.verdict for rank in rank_methods({"a": lost, "b": lost}).values()} == {"inconclusive"}
