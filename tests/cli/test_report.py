"""`ganbench report`: one folder or several, byte for byte the same again."""

from __future__ import annotations

import pandas as pd
import pytest
from stored_runs import results_of, store_run

MIDDLE, HIGH = [4, 4.5, 5, 4.2, 4.7], [6.9, 7.0, 7.1, 6.95, 7.05]


@pytest.fixture
def run(tmp_path):
    return store_run(tmp_path / "run", results_of({"old": MIDDLE, "new": HIGH}))


def test_two_reports_of_one_folder_are_the_same_bytes(ganbench, run):
    assert ganbench("report", "run").code == 0
    first = {path.name: path.read_bytes() for path in run.report.iterdir()}
    assert ganbench("report", "run").code == 0
    assert {path.name: path.read_bytes() for path in run.report.iterdir()} == first


def test_a_baseline_and_a_metric_are_compared_with(ganbench, run, tmp_path):
    assert ganbench("report", "run", "--format", "csv", "--baseline", "old", "--metric", "modes.covered").code == 0
    table = pd.read_csv(run.report / "comparison.csv").set_index("method")
    assert table.verdict.to_dict() == {"old": "baseline", "new": "better"}
    assert "did you mean 'old'?" in ganbench("report", "run", "--baseline", "odl").first_line
    said = ganbench("report", "run", "--metric", "modes.coverd")
    assert said.code == 2 and "--metric: no metric is called 'modes.coverd' here; did you mean 'modes.covered'?" in (
        said.first_line
    )


def test_folders_that_agree_are_one_report_elsewhere_if_wanted(ganbench, run, tmp_path):
    store_run(tmp_path / "more", results_of({"third": HIGH}))
    said = ganbench("report", "run", "more", "--format", "csv", "--output", "both")
    assert said.code == 0 and said.out.splitlines()[0] == "both/comparison.csv"
    assert list(pd.read_csv(tmp_path / "both/comparison.csv").method) == ["old", "new", "third"]
    assert not run.report.exists()
    store_run(tmp_path / "other", results_of({"x": [1]}), suite="other")
    said = ganbench("report", "run", "other")
    assert said.code == 2 and "cannot be merged: suite 'test' and suite 'other'" in said.first_line


def test_trials_that_are_not_there_are_said(ganbench, run):
    import shutil

    shutil.rmtree(sorted(run.trials.iterdir())[0])
    assert "9 of 10 trials are here; 1 are not stored" in ganbench("report", "run", "--format", "csv").err


def test_numbers_and_texts_are_read_back_by_pandas(ganbench, tmp_path):
    names = ["=1+1", "@sum", "a,b", 'say "x"', "two\nlines", "-5", "ok"]
    store = store_run(tmp_path / "run", results_of({name: [i, i + 1] for i, name in enumerate(names)}))
    assert ganbench("report", "run", "--format", "csv").code == 0
    read = pd.read_csv(store.report / "comparison.csv")
    assert list(read.method) == ["'=1+1", "'@sum", "a,b", 'say "x"', "two\nlines", "'-5", "ok"]
    assert read.delta.dtype.kind == "f" and (read.delta <= 0).all(), "numbers below 0 stay numbers"
