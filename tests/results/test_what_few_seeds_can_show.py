"""Intervals, ranks and verdicts say what the seeds can show, and a lost seed is never hidden."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_suites import suite_table, trials_of

from ganbench.contract.records import Evidence, Finding, Score, TrialResult
from ganbench.results import comparison
from ganbench.results.statistics import (
    iqm,
    iqm_interval,
    least_p_value,
    p_better,
    p_value,
    rank_methods,
    wilson_interval,
)


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


def test_the_interquartile_mean_forgets_the_tails():
    assert iqm(array(0, 10, 11, 1000)) == pytest.approx(10.5)
    assert iqm(array(3, 4, 8)) == pytest.approx(5)
    assert math.isnan(iqm(array()))


def test_bootstrap_intervals_hold_the_estimate_repeat_and_need_two_seeds():
    values = array(1, 2, 3, 4, 9)
    low, high = iqm_interval(values)
    assert 1 <= low <= iqm(values) <= high <= 9
    assert iqm_interval(values) == (low, high)
    assert all(math.isnan(bound) for bound in iqm_interval(array(1.0)))


def test_wilson_intervals_are_the_published_ones():
    # Brown, Cai and DasGupta 2001: 0 of 3 and 10 of 20 at 95 %.
    assert wilson_interval(0, 3) == pytest.approx((0.0, 0.5615), abs=1e-3)
    assert wilson_interval(10, 20) == pytest.approx((0.2993, 0.7007), abs=1e-3)


def test_least_p_values_are_those_of_the_protocol():
    assert least_p_value(3, 3) == pytest.approx(0.10)
    assert least_p_value(5, 5) == pytest.approx(0.008, abs=1e-3)
    assert p_value(array(1, 2, 3), array(4, 5, 6)) == pytest.approx(0.10)
    assert p_value(array(1, 2, 3, 4, 5), array(6, 7, 8, 9, 10)) == pytest.approx(least_p_value(5, 5))


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=5), st.lists(st.integers(-3, 3), min_size=1, max_size=5))
def test_one_side_being_better_is_the_other_being_worse(ours, theirs):
    assert p_better(array(*ours), array(*theirs)) == pytest.approx(1 - p_better(array(*theirs), array(*ours)))
    assert 0 <= p_value(array(*ours), array(*theirs)) <= 1


def test_five_seeds_apart_are_worse_three_are_inconclusive():
    three = rank_methods({"a": array(7, 8, 9), "b": array(1, 2, 3)})
    assert (three["a"].rank, three["b"].rank) == (1, 2)
    assert three["b"].verdict == "inconclusive" and three["a"].verdict == "inconclusive"
    assert three["b"].p_better == 1.0
    five = rank_methods({"a": array(6, 7, 8, 9, 10), "b": array(1, 2, 3, 4, 5)})
    assert five["b"].verdict == "worse" and five["a"].verdict == "best"


def test_five_seeds_mixed_are_tied_and_equal_ones_share_a_rank():
    mixed = rank_methods({"a": array(1, 3, 5, 7, 9), "b": array(2, 4, 5, 6, 8)})
    assert mixed["a"].rank == mixed["b"].rank == 1
    assert {mixed["a"].verdict, mixed["b"].verdict} == {"tied"}
    equal = rank_methods({"a": array(8, 8, 8), "b": array(8, 8, 8), "c": array(1, 8, 8)})
    assert (equal["a"].rank, equal["b"].rank, equal["c"].rank) == (1, 1, 3)
    assert equal["b"].verdict == "tied"


def test_a_lost_seed_costs_rank_whatever_the_others_are_worth():
    lost = -math.inf
    places = rank_methods({"steady": array(5, 5, 5), "lucky": array(9, lost, lost)})
    assert places["steady"].rank == 1 and places["lucky"].rank == 2


def test_a_method_alone_is_best():
    assert rank_methods({"a": array(1, 2, 3)})["a"].verdict == "best"


def result(trial, status="done", value=None, findings=(), steps=60):
    scores = (
        ()
        if value is None
        else tuple(
            Score(step, "modes.covered", value + change, "higher", 8.0, 100, 100, 0.1)
            for step, change in ((30, 1), (60, 0))
        )
    )
    return TrialResult(trial, status, steps=steps, scores=scores, findings=findings)


@pytest.fixture
def results():
    method = {"loss": "hinge", "generator": "mlp", "discriminator": "mlp"}
    trials = trials_of(suite_table(methods={"a": method, "b": {**method, "loss": "minimax"}}, seeds=3))
    collapse = Finding("mode-collapse", "now", "failure", 0.9, 20, "gone", {"coverage": Evidence(0.1, 0.8, 60)}, "r1")
    a, b = trials[:3], trials[3:]
    return [
        *(result(t, value=8.0) for t in a[:2]),
        result(a[2], value=3.0, findings=(collapse,)),
        result(b[0], value=5.0),
        replace(result(b[1], "diverged", value=7.0), reason="not finite"),
        result(b[2], "error"),
    ]


def test_the_comparison_counts_failures_and_leaves_lost_trials_out_of_means(results):
    table = comparison.comparison_table(comparison.trials_table(results), comparison.scores_table(results)).set_index(
        "method"
    )
    assert list(table.loc["a", ["n_seeds", "n_scored", "failed"]]) == [3, 3, 1]
    assert list(table.loc["b", ["n_seeds", "n_scored", "failed"]]) == [3, 1, 2]
    assert table.loc["b", "mean"] == 5.0
    assert table.loc["b", "failure_rate"] == pytest.approx(2 / 3)
    assert table.loc["b", "failure_low"] < 2 / 3 < table.loc["b", "failure_high"]
    assert table.loc["a", "mean"] == pytest.approx(19 / 3)
    assert table.loc["a", "best_mean"] == pytest.approx(22 / 3)
    assert (table.loc["a", "rank"], table.loc["b", "rank"]) == (1, 2)


def test_skipped_trials_are_no_failures(results):
    table = comparison.trials_table([replace(r, status="skipped") if r.trial.method == "b" else r for r in results])
    assert list(comparison.comparison_table(table, comparison.scores_table(results[:3])).method) == ["a"]


def test_where_nothing_was_scored_the_failures_are_still_counted(results):
    lost = [replace(r, status="error", scores=(), findings=()) for r in results]
    table = comparison.comparison_table(comparison.trials_table(lost), comparison.scores_table(lost))
    assert list(table.columns) == comparison.COMPARISON
    assert list(table.method) == ["a", "b"] and list(table.failed) == [3, 3] and list(table.n_scored) == [0, 0]
    assert table.metric.isna().all()


def test_where_all_seeds_of_all_methods_are_lost_nothing_is_concluded():
    lost = array(-math.inf, -math.inf)
    assert {place.verdict for place in rank_methods({"a": lost, "b": lost}).values()} == {"inconclusive"}
