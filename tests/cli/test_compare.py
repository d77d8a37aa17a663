"""`ganbench compare`: better, worse, equivalent, or cannot tell."""

from __future__ import annotations

import pytest
from stored_runs import results_of, store_run

LOW, MIDDLE, HIGH = [1, 1.5, 2, 1.2, 1.7], [4, 4.5, 5, 4.2, 4.7], [6.9, 7.0, 7.1, 6.95, 7.05]


@pytest.fixture
def runs(tmp_path):
    store_run(tmp_path / "old", results_of({"a": MIDDLE, "b": MIDDLE, "c": MIDDLE, "d": MIDDLE[:3]}))
    store_run(tmp_path / "new", results_of({"a": HIGH, "b": LOW, "c": MIDDLE, "d": HIGH[:3]}))


def test_two_runs_are_compared_in_lines_of_80_columns(ganbench, runs):
    said = ganbench("compare", "old", "new")
    assert said.code == 0, said.err
    assert said.out.splitlines()[0].startswith("new against old: ")
    lines = said.out.splitlines()
    for method, verdict in {"a": "better", "b": "worse", "c": "equivalent", "d": "cannot tell"}.items():
        at = next(i for i, line in enumerate(lines) if line.startswith(f"ring  {method}  "))
        assert lines[at + 1].split("modes.covered")[0].strip() == verdict
    assert max(map(len, lines)) <= 80
    assert "cannot tell: 1 would be decided by 4 seeds" in said.out


def test_two_methods_are_compared_and_scripts_get_json(ganbench, runs):
    (row,) = ganbench("compare", "new:b", "new:a", "--json").json
    assert row["verdict"] == "better" and row["method"] == "b → a" and row["delta_low"] > 0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["old", "gone"], "gone holds no run: there is no suite.json in it"),
        (["old:e", "new:a"], "old: no method is called 'e'; valid: a, b, c, d"),
        (["old"], "Missing argument 'NEW'"),
    ],
)
def test_what_is_wrong_is_one_line(ganbench, runs, arguments, line):
    said = ganbench("compare", *arguments)
    assert said.code == 2 and line in said.first_line and "Traceback" not in said.err
