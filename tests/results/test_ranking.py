"""Ranks follow the numbers, verdicts say what few seeds can show, and a lost seed counts against its method."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganbench.results.ranking import p_better, rank_methods
from ganbench.results.statistics import iqm

LOST = -math.inf


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=5), st.lists(st.integers(-3, 3), min_size=1, max_size=5))
def test_the_probability_of_being_better_is_one_minus_the_reverse(ours, theirs):
    assert p_better(array(*ours), array(*theirs)) == pytest.approx(1 - p_better(array(*theirs), array(*ours)))


def test_a_clear_difference_is_worse_with_five_seeds_and_inconclusive_with_three():
    three = rank_methods({"a": array(7, 8, 9), "b": array(1, 2, 3)}).methods
    assert (three["a"].rank, three["b"].rank) == (1, 2)
    assert three["b"].verdict == "inconclusive" and three["a"].verdict == "inconclusive"
    assert three["b"].p_better == 1.0 and three["b"].p_value == pytest.approx(0.1)
    assert three["b"].seeds_needed == three["a"].seeds_needed == 4
    five = rank_methods({"a": array(6, 7, 8, 9, 10), "b": array(1, 2, 3, 4, 4)}).methods
    assert five["b"].verdict == "worse" and five["a"].verdict == "best"
    assert five["b"].difference.value == -5 and five["b"].difference.high < 0
    assert five["b"].seeds_needed is None


@settings(deadline=None, max_examples=25)  # each pattern of ties takes a null distribution
@given(st.lists(st.lists(st.integers(0, 9), min_size=4, max_size=4), min_size=2, max_size=5))
def test_without_lost_seeds_ranks_are_the_order_of_the_interquartile_means(rows):
    values = {str(i): array(*row) for i, row in enumerate(rows)}
    ranked = rank_methods(values).methods
    for one in values:
        for other in values:
            if iqm(values[one]) > iqm(values[other]):
                assert ranked[one].rank < ranked[other].rank
            elif iqm(values[one]) == iqm(values[other]):
                assert ranked[one].rank == ranked[other].rank


def test_methods_are_equivalent_only_where_the_interval_lies_within_the_margin():
    near = {"a": array(7.00, 7.01, 7.02, 7.01, 7.0), "b": array(7.01, 7.00, 7.01, 7.02, 7.01)}
    assert {m.verdict for m in rank_methods(near, floor=8.0).methods.values()} == {"equivalent"}
    assert {m.verdict for m in rank_methods(near, floor=8.0, margin=0.001).methods.values()} == {"inconclusive"}
    assert {m.verdict for m in rank_methods(near).methods.values()} == {"inconclusive"}, "without a floor"
    wide = {"a": array(3, 9, 5, 7, 6), "b": array(6, 5, 7, 3, 9)}
    ranked = rank_methods(wide, floor=10.0)
    assert {m.verdict for m in ranked.methods.values()} == {"inconclusive"}
    assert ranked.margin == pytest.approx(0.1 * 4)


def test_methods_with_the_same_score_in_every_seed_are_equivalent_from_five_seeds_on():
    assert rank_methods({"a": array(8, 8, 8), "b": array(8, 8, 8)}, floor=8.0).methods["b"].verdict == "inconclusive"
    five = rank_methods({"a": array(8, 8, 8, 8, 8), "b": array(8, 8, 8, 8, 8)}, floor=8.0)
    assert {m.verdict for m in five.methods.values()} == {"equivalent"} and five.methods["b"].rank == 1


def test_a_method_that_lost_a_seed_is_equivalent_to_none():
    values = {"a": array(7.0, 7.01, 7.02, 7.0, 7.01), "b": array(7.0, 7.01, LOST, 7.0, 7.01)}
    assert rank_methods(values, floor=0.0).methods["b"].verdict == "inconclusive"


def test_a_lost_seed_lowers_the_rank_whatever_the_others_score():
    ranks = rank_methods({"steady": array(5, 5, 5), "lucky": array(9, LOST, LOST)}).methods
    assert ranks["steady"].rank == 1 and ranks["lucky"].rank == 2
    fewer = rank_methods({"one": array(1, 2, LOST), "two": array(9, LOST, LOST)}).methods
    assert fewer["one"].rank == 1, "of methods with lost seeds the one with fewer"


def test_seeds_that_a_method_was_not_tried_with_do_not_count():
    ranked = rank_methods({"a": array(1, 2, 3, math.nan), "b": array(2, 3, 4, 5)}).methods
    assert ranked["a"].difference.pairs == 3 and ranked["a"].difference.value == -1


def test_a_single_method_is_compared_with_nothing():
    assert rank_methods({"a": array(1, 2, 3)}).methods["a"].verdict == "inconclusive"


def test_if_all_seeds_are_lost_every_verdict_is_inconclusive():
    lost = array(LOST, LOST)
    assert {m.verdict for m in rank_methods({"a": lost, "b": lost}).methods.values()} == {"inconclusive"}


def test_methods_may_be_compared_with_a_baseline():
    values = {"old": array(4, 5, 6, 5, 4.5), "new": array(8, 9, 9.5, 8.5, 8.2), "bad": array(0, 1, 0.5, 0.2, 0.7)}
    ranked = rank_methods(values, baseline="old").methods
    assert {name: m.verdict for name, m in ranked.items()} == {"old": "baseline", "new": "better", "bad": "worse"}
    assert ranked["new"].difference.low > 0 > ranked["bad"].difference.high
    assert {m.against for m in ranked.values()} == {"old"}


def test_every_pair_is_compared_once_the_better_ranked_first():
    values = {"b": array(1, 2, 3, 2.5, 1.5), "a": array(7, 8, 9, 8.5, 7.5), "c": array(4, 5, 6, 5.5, 4.5)}
    pairs = rank_methods(values).pairs
    assert [(pair.method, pair.other) for pair in pairs] == [("a", "c"), ("a", "b"), ("c", "b")]
    assert all(pair.verdict == "better" and pair.difference.value < 0 for pair in pairs)
