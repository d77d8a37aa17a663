"""Whatever lies in a results folder, there is a comparison of the rest or one clear line."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from stored_runs import LOST, METRIC, results_of, store_run

from ganbench import RequestError
from ganbench.results.comparison import compare
from ganbench.results.store import Store


@pytest.fixture
def store(tmp_path):
    return store_run(tmp_path / "run", results_of({"a": [5, 6, 7], "b": [4, 5, 6]}))


def first_trial(store):
    return sorted(store.trials.iterdir())[0]


def half_written(folder):
    (folder / "result.json").unlink()


def of_a_newer_version(folder):
    facts = json.loads((folder / "trial.json").read_text())
    (folder / "trial.json").write_text(json.dumps(facts | {"schema": 99}))


def of_another_trial(folder):
    facts = json.loads((folder / "trial.json").read_text())
    (folder / "trial.json").write_text(json.dumps(facts | {"id": "elsewhere"}))


def not_utf8(folder):
    path = folder / "result.json"
    path.write_bytes(path.read_bytes().replace(b'"reason": ""', b'"reason": "\xff\xfe"'))


def not_utf8_findings(folder):
    (folder / "findings.json").write_bytes(b'[{"summary": "\xc3\x28"}]')


def an_edited_status(folder):
    path = folder / "result.json"
    path.write_text(path.read_text().replace('"done"', '"wonderful"'))


def an_edited_score(folder):
    path = folder / "scores.csv"
    path.write_text(path.read_text().replace("higher", "sideways"))


def a_nested_bomb(folder):
    (folder / "findings.json").write_text("[" * 100_000)


@pytest.mark.parametrize(
    "damage",
    [
        half_written,
        of_a_newer_version,
        of_another_trial,
        not_utf8,
        not_utf8_findings,
        an_edited_status,
        an_edited_score,
        a_nested_bomb,
    ],
)
def test_a_bad_trial_is_left_out_by_name(store, damage):
    victim = first_trial(store)
    damage(victim)
    comparison = compare(store)
    assert len(comparison.trials) == 5
    (line,) = comparison.damaged
    assert victim.name in line and line.isprintable()


@pytest.mark.parametrize(
    "name", ["x" * 300, "ü" * 200, "../../elsewhere", "a/b", "", "..", "a\x00b", "\x1b[2J", "\ud800"]
)
def test_an_id_that_is_no_name_of_a_folder_is_left_out(store, name):
    facts = json.loads((store.folder / "suite.json").read_text())
    (store.folder / "suite.json").write_text(json.dumps(facts | {"trials": [*facts["trials"], name]}))
    if name == "\ud800":  # no JSON in UTF-8 can hold it
        with pytest.raises(RequestError, match=r"suite\.json"):
            compare(store)
        return
    comparison = compare(store)
    assert len(comparison.trials) == 6
    (line,) = comparison.damaged
    assert "is not the id of a trial" in line and line.isprintable() and len(line) < 300 + len(str(store.folder))


@pytest.mark.parametrize("name", ["suite.json", "environment.json"])
@pytest.mark.parametrize("content", [b'{"a": "\xff"}', b"[]", b"", b"{" * 100_000, None])
def test_a_bad_file_of_the_run_is_one_line(store, name, content):
    path = store.folder / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(RequestError) as raised:
        compare(store)
    assert name in str(raised.value) and str(raised.value).isprintable()


def test_a_file_in_place_of_a_folder_is_one_line(tmp_path):
    (tmp_path / "run").write_text("not a folder")
    with pytest.raises(RequestError, match="is a file, not the folder of a run"):
        compare(Store(tmp_path / "run"))


def test_a_run_whose_trials_are_all_gone_or_skipped_or_lost_has_empty_tables(tmp_path):
    store = store_run(tmp_path / "lost", results_of({"a": [LOST, LOST], "b": [LOST, LOST]}))
    table = compare(store).comparison
    assert list(table.failed) == [2, 2] and table.metric.isna().all()
    assert compare(store).aggregate.score.isna().all() and compare(store).pairwise.empty
    shutil.rmtree(store.trials)
    gone = compare(store)
    assert gone.trials.empty and gone.comparison.empty and gone.aggregate.empty and len(gone.missing) == 4


def test_a_score_that_is_not_a_number_counts_as_worst_and_in_no_mean(tmp_path):
    store = store_run(tmp_path, results_of({"a": [5, float("nan"), 7], "b": [4, 5, 6]}))
    table = compare(store).comparison.set_index("method")
    assert table.loc["a", "n_scored"] == 2 and table.loc["a", "mean"] == 6 and table.loc["a", "rank"] == 2
    only = store_run(tmp_path / "only", results_of({"a": [float("nan")] * 3}))
    assert compare(only).comparison.n_scored[0] == 0


def test_one_seed_has_scores_and_ranks_and_no_verdict(tmp_path):
    table = compare(store_run(tmp_path, results_of({"a": [5], "b": [4]}))).comparison
    assert list(table["rank"]) == [1, 2] and set(table.verdict) == {"inconclusive"}
    assert table.iqm_low.isna().all() and table.delta_low.isna().all()


NAMES = ["<script>alert(1)</script>", 'a "quoted" name', "two\nlines", "a,b;c", "=1+1", "\u202eback", "x" * 300, "Ω|μ"]


def test_hostile_names_of_methods_stay_names(tmp_path):
    comparison = compare(store_run(tmp_path, results_of({name: [i, i + 0.5] for i, name in enumerate(NAMES)})))
    assert list(dict.fromkeys(comparison.comparison.method)) == NAMES
    assert list(comparison.aggregate.method) == NAMES and set(comparison.pairwise.method) <= set(NAMES)
    assert (comparison.comparison.metric == METRIC).all()


def test_terminal_escapes_in_messages_become_text(tmp_path):
    results = results_of({"a": [5, LOST]})
    object.__setattr__(results[1], "reason", "\x1b[31mred\x1b[0m \x9b2J\nsecond line \u202e")
    comparison = compare(store_run(tmp_path, results))
    assert comparison.trials.reason[1] == "\\x1b[31mred\\x1b[0m \\x9b2J\nsecond line \\u202e"


def test_extreme_scores_do_not_break_the_comparison(tmp_path):
    values = {"a": [1e308, -1e308, 1e-320], "b": [1e308, 1e308, 1e308], "c": [0.0, -0.0, 0.0]}
    with np.errstate(over="ignore", invalid="ignore"):
        comparison = compare(store_run(tmp_path, results_of(values)))
    assert len(comparison.comparison) == 3
