"""The comparison counts failures beside the scores, and leaves lost trials out of the means."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small_suites import suite_table, trials_of

from ganbench.contract.records import Evidence, Finding, Score, TrialResult
from ganbench.results.comparison import COMPARISON, comparison_table, scores_table, trials_table


def make_result(trial, status="done", value=None, findings=(), steps=60):
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
        *(make_result(t, value=8.0) for t in a[:2]),
        make_result(a[2], value=3.0, findings=(collapse,)),
        make_result(b[0], value=5.0),
        replace(make_result(b[1], "diverged", value=7.0), reason="not finite"),
        make_result(b[2], "error"),
    ]


def test_the_comparison_counts_failures_and_leaves_lost_trials_out_of_means(results):
    table = comparison_table(trials_table(results), scores_table(results)).set_index("method")
    assert list(table.loc["a", ["n_seeds", "n_scored", "failed"]]) == [3, 3, 1]
    assert list(table.loc["b", ["n_seeds", "n_scored", "failed"]]) == [3, 1, 2]
    assert table.loc["b", "mean"] == 5.0
    assert table.loc["b", "failure_rate"] == pytest.approx(2 / 3)
    assert table.loc["b", "failure_low"] < 2 / 3 < table.loc["b", "failure_high"]
    assert table.loc["a", "mean"] == pytest.approx(19 / 3)
    assert table.loc["a", "best_mean"] == pytest.approx(22 / 3)
    assert (table.loc["a", "rank"], table.loc["b", "rank"]) == (1, 2)


def test_skipped_trials_do_not_count(results):
    table = trials_table([replace(r, status="skipped") if r.trial.method == "b" else r for r in results])
    assert list(comparison_table(table, scores_table(results[:3])).method) == ["a"]


def test_failures_are_counted_even_if_nothing_was_scored(results):
    lost = [replace(r, status="error", scores=(), findings=()) for r in results]
    table = comparison_table(trials_table(lost), scores_table(lost))
    assert list(table.columns) == COMPARISON
    assert list(table.method) == ["a", "b"] and list(table.failed) == [3, 3] and list(table.n_scored) == [0, 0]
    assert table.metric.isna().all()
