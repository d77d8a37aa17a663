"""Runs that agree are one comparison; where they do not, one line says what differs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from stored_runs import LOST, results_of, store_run

from ganbench import RequestError
from ganbench.results.comparison import compare


def test_runs_of_other_seeds_and_methods_are_one_comparison(tmp_path):
    first = store_run(tmp_path / "a", results_of({"old": [5, 6, 7]}, seeds=[0, 1, 2]), commit="abc")
    second = store_run(tmp_path / "b", results_of({"old": [4, 5]}, seeds=[3, 4]), commit="def", torch="2")
    third = store_run(tmp_path / "c", results_of({"new": [7, 8, 7, 8, 7]}))
    merged = compare(second, first, third)
    assert list(merged.trials.method) == ["old"] * 5 + ["new"] * 5
    assert list(merged.trials.seed) == [0, 1, 2, 3, 4] * 2
    assert list(merged.trials.commit) == ["abc"] * 3 + ["def"] * 2 + [""] * 5
    assert merged.comparison.set_index("method").loc["new", "rank"] == 1
    assert merged.environment["commit"] == ["def", "abc"] and merged.environment["torch"] == "2"


def test_a_trial_of_both_counts_once_and_a_fault_gives_way(tmp_path):
    results = results_of({"m": [5, 6]})
    faulty = [replace(results[0], status="error", reason="no memory", scores=()), results[1]]
    merged = compare(store_run(tmp_path / "a", faulty), store_run(tmp_path / "b", results))
    assert list(merged.trials.status) == ["done", "done"] and list(merged.comparison.n_seeds) == [2]


@pytest.mark.parametrize(
    ("other", "suite", "line"),
    [
        ({"m": [5, 6]}, "else", "suite 'test' and suite 'else'"),
        ({"m": [5, 7]}, "test", "ended differently"),
        ({"m": [5, LOST]}, "test", "ended differently"),
    ],
)
def test_runs_that_do_not_agree_are_refused_in_one_line(tmp_path, other, suite, line):
    one = store_run(tmp_path / "a", results_of({"m": [5, 6]}))
    two = store_run(tmp_path / "b", results_of(other), suite)
    with pytest.raises(RequestError, match=line) as raised:
        compare(one, two)
    assert "report them one at a time" in str(raised.value)


def test_a_method_of_other_settings_under_the_same_name_is_refused(tmp_path):
    one = store_run(tmp_path / "a", results_of({"m": [5, 6]}))
    two = store_run(tmp_path / "b", results_of({"m": [5, 6]}, seeds=[2, 3], training={"batch_size": 7}))
    with pytest.raises(RequestError, match="batch_size of method 'm' on 'ring' is 32 in the first and 7 in the second"):
        compare(one, two)


def test_a_data_set_evaluated_otherwise_is_refused(tmp_path):
    results = results_of({"n": [5, 6]})
    other = [replace(r, trial=replace(r.trial, evaluation=replace(r.trial.evaluation, samples=999))) for r in results]
    one, two = store_run(tmp_path / "a", results_of({"m": [5, 6]})), store_run(tmp_path / "b", other)
    with pytest.raises(RequestError, match=r"evaluation\.samples of data set 'ring' is 200 in the first and 999"):
        compare(one, two)


def test_what_is_listed_and_not_stored_is_missing_until_another_run_has_it(tmp_path):
    import shutil

    results = results_of({"m": [5, 6]})
    one, two = store_run(tmp_path / "a", results), store_run(tmp_path / "b", results)
    shutil.rmtree(one.folder_of(results[0].trial.id))
    assert compare(one).missing == (results[0].trial.id,)
    assert compare(one, two).missing == ()
