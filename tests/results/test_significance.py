"""Tests between methods hold their level over a whole comparison, with ties and lost seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ganbench.results import significance
from ganbench.results.significance import MIN_ASYMPTOTIC, fewest_seeds, min_p_value, p_values, pair_p_value


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


def test_the_smallest_p_values_of_few_seeds():
    assert min_p_value(3, 3) == pytest.approx(0.10)
    assert min_p_value(5, 5) == pytest.approx(0.008, abs=1e-3)
    assert pair_p_value(array(1, 2, 3), array(4, 5, 6)) == pytest.approx(0.10)
    assert pair_p_value(array(1, 2, 3, 4, 5), array(6, 7, 8, 9, 10)) == pytest.approx(min_p_value(5, 5))
    assert pair_p_value(array(1), array(2, 3)) == 1


def test_many_seeds_are_sampled_and_agree_with_the_exact_test():
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(size=12), rng.normal(size=12) + 1
    sampled = pair_p_value(ours, theirs)
    from scipy.stats import mannwhitneyu

    assert sampled == pytest.approx(mannwhitneyu(ours, theirs, method="exact").pvalue, abs=0.01)


def test_a_pair_among_many_methods_needs_more_than_a_pair_alone():
    two = [array(1, 2, 3, 4, 5), array(6, 7, 8, 9, 10)]
    many = [*two, *(array(*range(start, start + 5)) for start in range(11, 60, 5))]
    assert p_values(two)[0, 1] < 0.01 < 0.05 < p_values(many)[0, 1]
    assert [fewest_seeds(n) for n in (2, 6, 12)] == [4, 5, 6]


def test_lost_seeds_are_worse_than_any_score_and_ties_are_no_difference():
    lost = -math.inf
    p = p_values([array(5, 6, 7, 8, 9), array(lost, lost, lost, lost, lost), array(5, 6, 7, 8, 9)])
    assert p[0, 1] < 0.05 and p[0, 2] == 1
    assert (p_values([array(1, 1, 1), array(1, 1, 1), array(1, 1, 1)]) == 1).all()


def test_three_seeds_decide_nothing_whatever_the_other_methods_score():
    groups = [array(100, 101, 102), *(array(i, i + 0.1, i + 0.2) for i in range(5))]
    assert p_values(groups).min() >= 0.1


@pytest.mark.parametrize("draw", ["continuous", "few values", "lost"])
def test_equal_methods_are_told_apart_in_at_most_a_twentieth_of_whole_comparisons(draw):
    rng = np.random.default_rng(1)

    def study():
        values = np.exp(rng.normal(size=(6, 5)))
        if draw == "few values":
            values = np.minimum(np.floor(values), 2)
        elif draw == "lost":
            values[rng.random(values.shape) < 0.2] = -math.inf
        return list(values)

    n = 400 if draw == "continuous" else 80  # other patterns of ties take a null distribution of their own
    wrong = np.mean([p_values(study()).min() <= 0.05 for _ in range(n)])
    assert wrong <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / n)


@pytest.mark.parametrize("draw", ["continuous", "few values"])
@pytest.mark.parametrize("gap", [0.0, 0.4])
def test_with_many_seeds_the_normal_distribution_says_what_permutations_do(monkeypatch, draw, gap):
    rng = np.random.default_rng(3)
    ours, theirs = rng.normal(size=MIN_ASYMPTOTIC), rng.normal(size=MIN_ASYMPTOTIC + 7) + gap
    if draw == "few values":
        ours, theirs = np.floor(ours), np.floor(theirs)
    asymptotic = pair_p_value(ours, theirs)
    monkeypatch.setattr(significance, "MIN_ASYMPTOTIC", 10_000)
    assert asymptotic == pytest.approx(pair_p_value(ours, theirs), abs=0.02)


@pytest.mark.parametrize("draw", ["continuous", "few values"])
def test_with_many_seeds_of_many_methods_the_normal_distribution_says_what_permutations_do(monkeypatch, draw):
    rng = np.random.default_rng(5)
    groups = [rng.normal(size=MIN_ASYMPTOTIC + 5 * index) + gap for index, gap in enumerate([0, 0, 0.3, 0.5, 1.5])]
    if draw == "few values":
        groups = [np.floor(group) for group in groups]
    normal = p_values(groups)
    monkeypatch.setattr(significance, "MIN_ASYMPTOTIC", 10_000)
    np.testing.assert_allclose(normal, p_values(groups), atol=0.03)


def test_many_seeds_of_one_and_the_same_value_differ_in_nothing():
    assert pair_p_value(np.ones(MIN_ASYMPTOTIC), np.ones(MIN_ASYMPTOTIC)) == 1.0
