"""The comparison counts failures beside the scores, and leaves lost trials out of the means."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small_suites import suite_table, trials_of
from stored_runs import results_of

from ganbench.contract.records import Evidence, Finding, Score, TrialResult
from ganbench.results.comparison import load
from ganbench.results.comparison_tables import (
    COMPARISON,
    aggregate_table,
    compare_all,
    comparison_table,
    pairwise_table,
)
from ganbench.results.store import Store
from ganbench.results.tables import scores_table, times_floor, trials_table


def compared(results):
    trials, scores = trials_table(results), scores_table(results)
    return comparison_table(trials, scores, compare_all(trials, scores))


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
    table = compared(results).set_index("method")
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
    scores = scores_table(results[:3])
    assert list(comparison_table(table, scores, compare_all(table, scores)).method) == ["a"]


def test_failures_are_counted_even_if_nothing_was_scored(results):
    lost = [replace(r, status="error", scores=(), findings=()) for r in results]
    table = compared(lost)
    assert list(table.columns) == COMPARISON
    assert list(table.method) == ["a", "b"] and list(table.failed) == [3, 3] and list(table.n_scored) == [0, 0]
    assert table.metric.isna().all()


def test_columns_say_how_scores_moved_and_what_they_cost(results):
    table = compared(results).set_index("method")
    assert table.loc["a", "trend"] == -1.0, "the evaluation at step 30 was better by 1"
    assert table.loc["a", "auc"] == pytest.approx(19 / 3 + 0.5)
    assert table.loc["b", "best_mean"] == 6.0, "of the trial that was not lost"
    assert table.loc["a", "images"] == 60 * results[0].trial.training.batch_size
    assert table.loc["b", "delta"] == pytest.approx(5.0 - 8.0), "over the one seed that both have"
    assert table.loc["b", "n_pairs"] == 1 and list(table.against) == ["a", "a"]


def test_differences_are_in_units_of_the_metric(results):
    lower = [replace(r, scores=tuple(replace(s, better="lower") for s in r.scores)) for r in results]
    table = compared(lower).set_index("method")
    assert table.loc["a", "rank"] == 1, "b lost trials, whatever the others scored"
    trials, scores = trials_table(lower), scores_table(lower)
    pairs = pairwise_table(compare_all(trials, scores))
    assert list(pairs.method) == ["a"] and list(pairs.other) == ["b"]
    assert pairs.delta[0] == pytest.approx(-3.0)


def test_the_aggregate_is_0_at_the_worst_and_1_at_the_floor_and_counts_failures_beside_it(results):
    trials, scores = trials_table(results), scores_table(results)
    table = aggregate_table(trials, compare_all(trials, scores)).set_index("method")
    assert table.loc["a", "score"] == pytest.approx((1 + 1 + 3 / 8) / 3)
    assert table.loc["b", "score"] == pytest.approx(5 / 8) and table.loc["b", "n_seeds"] == 1
    assert list(table.failed) == [1, 2] and list(table["rank"]) == [1, 2]


def test_trials_have_the_settings_that_differ_between_methods(results):
    trials = [r.trial for r in results]
    faster = [
        replace(r, trial=replace(t, training=replace(t.training, batch_size=7))) if t.method == "b" else r
        for r, t in zip(results, trials, strict=True)
    ]
    table = trials_table(faster)
    assert set(table[table.method == "b"].batch_size) == {7}
    assert "batch_size" not in trials_table(results) and "lr_decay" not in table


def test_a_comparison_tells_each_setting_of_a_trial(results, tmp_path):
    store = Store(tmp_path / "run")
    with store.begin_run({"suite": "s", "trials": [results[0].trial.id]}, {}):
        store.write(results[0])
    comparison = load(tmp_path / "run")
    settings = comparison.settings(results[0].trial.id)
    assert settings["batch_size"] == results[0].trial.training.batch_size and settings["optimizer_g"] == "adam"
    assert comparison.settings("no-such-trial") == {}


def test_a_trial_says_how_many_times_its_floor_the_final_distance_is():
    result = results_of({"m": [2.0]})[0]
    first = result.scores[0]
    scored = replace(
        result,
        scores=(
            replace(first, step=5, metric="energy-distance", value=9.0, better="lower", floor=0.5),
            replace(first, step=9, metric="modes.covered", value=8.0, better="higher", floor=8.0),
            replace(first, step=9, metric="energy-distance", value=2.0, better="lower", floor=0.5),
        ),
    )
    assert times_floor(scored) == 4.0
    assert times_floor(replace(scored, scores=scored.scores[1:2])) is None
