"""The tables at the end of a run: what failed and every verdict is seen in 80 columns, as in comparison.csv."""

from __future__ import annotations

from dataclasses import replace

import pytest
from stored_runs import LOST, results_of, store_run

from ganbench.cli.summary import show_comparison
from ganbench.results.comparison import compare

METRICS = ["modes.covered", "modes.high_quality", "prdc-digits.precision", "prdc-digits.recall", "frechet-inception"]


def show(comparison, capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    show_comparison(comparison)
    return capsys.readouterr().out.splitlines()


@pytest.fixture
def comparison(tmp_path):
    values = {
        "a-method-with-a-very-long-name-indeed": [1, 2, 1, LOST, 1.5],
        "good": [7, 7.1, 7.2, 7.05, 7.15],
        "x": [7, 3, 5, 4, 6],
    }
    results = []
    for result in results_of(values):
        scores = [replace(s, metric=metric) for s in result.scores for metric in METRICS]
        verdicts = ("mode-collapse", "overpowering-discriminator", "oscillation", "memorization", "weak-discriminator")
        bad = result.trial.method.startswith("a-") and result.scores
        results.append(replace(result, scores=tuple(scores), verdicts=verdicts if bad else result.verdicts))
    return compare(store_run(tmp_path / "run", results))


@pytest.mark.parametrize("width", [80, 100])
def test_nothing_is_wider_than_the_terminal_and_nothing_that_matters_is_cut(comparison, capsys, monkeypatch, width):
    lines = show(comparison, capsys, monkeypatch, width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for word in ("diverged 1", "mode-collapse 4", "overpowering-discriminator 4", "weak-discriminator 4", "1/5"):
        assert word in text
    for metric in METRICS:
        assert metric in text


def test_verdicts_are_those_of_the_comparison(comparison, capsys, monkeypatch):
    lines = show(comparison, capsys, monkeypatch, 80)
    for row in comparison.comparison.itertuples():
        at = next(i for i, line in enumerate(lines) if row.metric in line)
        column = lines[at].index(row.metric)
        name = row.method[:20]
        line = next(line for line in lines[at:] if line.startswith(name))
        assert line[column : column + 25].split()[1] == row.verdict, (row.method, row.metric, line)


def test_lost_seeds_are_marked_where_they_are_not_in_the_number(comparison, capsys, monkeypatch):
    text = "\n".join(show(comparison, capsys, monkeypatch, 80))
    assert "1.25*" in text and "*: seeds were lost" in text


def test_how_far_from_the_data_it_is_stands_beside_a_verdict_without_a_failure(tmp_path, capsys, monkeypatch):
    near, far = results_of({"a": [0.12, 0.2, 1.2], "b": [0.11, 6.6, 7.05]}), []
    for result in near:
        scores = [replace(score, better="lower", floor=0.1) for score in result.scores]
        word = "inconclusive" if scores[-1].value > 5 else "no-failure-found"
        far.append(replace(result, scores=tuple(scores), verdicts=(word,)))
    text = "\n".join(show(compare(store_run(tmp_path / "far", far)), capsys, monkeypatch, 100))
    assert "no-failure-found (1.2-12x floor)" in text
    assert "inconclusive 2 (66-70x floor)" in text


def test_it_is_said_how_much_is_decided_and_what_would_decide_the_rest(tmp_path, capsys, monkeypatch):
    three = compare(store_run(tmp_path / "three", results_of({"a": [1, 2, 1.5], "b": [7, 7.1, 7.2]})))
    text = "\n".join(show(three, capsys, monkeypatch, 80))
    assert "0 of 2 comparisons decided, 2 inconclusive." in text and "--seeds 4" in text


def test_a_run_without_scores_shows_what_failed(tmp_path, capsys, monkeypatch):
    lost = compare(store_run(tmp_path / "lost", results_of({"a": [LOST, LOST]})))
    text = "\n".join(show(lost, capsys, monkeypatch, 80))
    assert "2/2" in text and "diverged 2" in text


def test_names_and_messages_cannot_control_the_terminal(tmp_path, capsys, monkeypatch):
    names = ["\x1b[2J", "two\nlines", "\u202eback", "[bold]markup"]
    comparison = compare(store_run(tmp_path, results_of({name: [i, i + 0.5] for i, name in enumerate(names)})))
    lines = show(comparison, capsys, monkeypatch, 80)
    text = "\n".join(lines)
    assert all(line.isprintable() for line in lines)
    for name in ("\\x1b[2J", "two\\nlines", "\\u202eback", "[bold]markup"):
        assert name in text


def test_columns_of_short_names_are_straight(tmp_path, capsys, monkeypatch):
    comparison = compare(store_run(tmp_path, results_of({"a": [1, 2], "b": [3, 4]})))
    lines = show(comparison, capsys, monkeypatch, 80)
    at = next(i for i, line in enumerate(lines) if "modes.covered" in line)
    column = lines[at].index("modes.covered")
    assert all(line[column - 2 : column] == "  " for line in lines[at : at + 4])
    assert "real data" in lines[at + 3] and "floor" in lines[at + 3]
