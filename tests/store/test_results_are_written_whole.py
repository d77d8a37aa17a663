"""A stored trial comes back as it was; a half-written or damaged one is never taken for whole."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from ganbench import RequestError
from ganbench.records import Artifacts, Breakdown, Evidence, Finding, History, Score, TrialResult
from ganbench.store import Store, Unreadable, read_history


@pytest.fixture
def result(make_trial) -> TrialResult:
    columns = {"step": np.array([10, 20]), "loss_d": np.array([0.1, np.nan]), "auc_d": np.array([1 / 3, 0.5])}
    history = History(columns, 20, Breakdown(13, "generator", "net.0", "output"))
    pixels = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    finding = Finding(
        "x", "now", "failure", 0.9, 10, "text; with, commas\nand lines", {"a": Evidence(1.0, 2.0, 3)}, "r1"
    )
    return TrialResult(
        make_trial(),
        "diverged",
        reason="why “not”",
        steps=13,
        train_seconds=1.5,
        seconds=2.25,
        device="cpu",
        threads=1,
        origins={"loss hinge": "ganbench 0"},
        scores=(Score(10, "m", 1 / 3, "higher", float("nan"), 5, 6, 0.1),),
        findings=(finding,),
        verdicts=("x",),
        artifacts=Artifacts(history, pixels, pixels, {"g.weight": np.arange(6.0).reshape(2, 3)}),
    )


def test_a_result_comes_back_as_it_was_stored(tmp_path, result):
    store = Store(tmp_path)
    store.write(result)
    back = store.read(result.trial.id)
    assert back.trial == result.trial
    for name in ("status", "reason", "steps", "seconds", "origins", "findings", "verdicts", "threads"):
        assert getattr(back, name) == getattr(result, name)
    assert back.scores[0].value == 1 / 3 and np.isnan(back.scores[0].floor)
    history = read_history(store.trials / result.trial.id)
    assert history.breakdown == result.artifacts.history.breakdown and history.steps == 20
    for name, column in result.artifacts.history.columns.items():
        np.testing.assert_array_equal(history.columns[name], column)


def test_writing_again_replaces_and_leaves_nothing_behind(tmp_path, result):
    store = Store(tmp_path)
    store.write(result)
    store.write(result)
    assert [p.name for p in store.trials.iterdir()] == [result.trial.id]


@pytest.mark.parametrize("name", ["trial.json", "result.json", "findings.json", "scores.csv"])
@pytest.mark.parametrize("damage", ["gone", "cut", "binary"])
def test_damage_is_named_with_its_file(tmp_path, result, name, damage):
    store = Store(tmp_path)
    store.write(result)
    path = store.trials / result.trial.id / name
    content = path.read_bytes()
    path.unlink() if damage == "gone" else path.write_bytes(
        content[: len(content) - 8] if damage == "cut" else b"\xff\x00"
    )
    if (name, damage) == ("scores.csv", "binary"):
        path.write_bytes(b"step,metric\n\xff,\xfe\n")
    with pytest.raises(Unreadable, match=name):
        store.read(result.trial.id)


def test_a_damaged_history_is_named(tmp_path, result):
    store = Store(tmp_path)
    store.write(result)
    path = store.trials / result.trial.id / "history.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(Unreadable, match=r"history\.parquet"):
        read_history(path.parent)


def test_leftovers_of_a_killed_writer_are_swept_and_never_read(tmp_path, result):
    store = Store(tmp_path)
    half = store.trials / f".{result.trial.id}.abc"
    half.mkdir(parents=True)
    (half / "trial.json").write_text("{")
    assert not store.has(result.trial.id)
    with store.claimed({"suite": "s", "trials": [result.trial.id]}, {}):
        assert not half.exists()
    assert store.results() == ([], [])


HOLD = """
import sys
from pathlib import Path
from ganbench.store import Store
with Store(Path(sys.argv[1])).claimed({"suite": "s"}, {}):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_runs_do_not_share_a_folder(tmp_path):
    line = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RequestError, match="another run is at work"), Store(tmp_path).claimed({}, {}):
            pass
    assert json.loads((tmp_path / "suite.json").read_text()) == {"suite": "s"}
    with Store(tmp_path).claimed({"suite": "s"}, {}):
        pass


def test_a_run_killed_before_it_wrote_a_word_may_be_begun_again(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".lock").touch()
    (folder / ".suite.json.12345678").write_text("{")
    Store(folder).check("s")
    with Store(folder).claimed({"suite": "s"}, {}):
        assert {p.name for p in folder.iterdir()} == {".lock", "suite.json", "environment.json", "trials"}


def test_what_cannot_be_stored_leaves_nothing_behind(tmp_path, result):
    store = Store(tmp_path)
    with pytest.raises(TypeError):
        store.write(replace(result, reason=object()))
    assert not list(store.trials.iterdir())


def test_a_folder_of_another_suite_or_of_something_else_is_refused(tmp_path):
    store = Store(tmp_path / "run")
    store.check("s")
    with store.claimed({"suite": "s"}, {}):
        pass
    store.check("s")
    with pytest.raises(RequestError, match="belongs to suite 's', not 'other'"):
        store.check("other")
