"""A stored trial comes back as it was; a half-written or damaged one is never taken for whole."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ganbench import RequestError
from ganbench.contract.records import Artifacts, Evidence, Finding, History, NonFinite, Score, TrialResult
from ganbench.results.store import Store
from ganbench.results.trial_files import Unreadable, read_history, write_atomically


@pytest.fixture
def result(make_trial) -> TrialResult:
    columns = {"step": np.array([10, 20]), "loss_d": np.array([0.1, np.nan]), "auc_d": np.array([1 / 3, 0.5])}
    history = History(columns, 20, NonFinite(13, "generator", "net.0", "output"))
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
    assert history.nonfinite == result.artifacts.history.nonfinite and history.steps == 20
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


SOUND = {"step": [10, 20], "loss_d": [0.1, 0.2]}
FACTS = b'{"steps": 20, "breakdown": null}'


@pytest.mark.parametrize(
    ("columns", "metadata", "said"),
    [
        (SOUND, None, "it is no history of ganbench: its schema has no metadata 'ganbench'"),
        (SOUND, {"pandas": "{}"}, "it is no history of ganbench"),
        (SOUND, {"ganbench": b"{}"}, "metadata 'ganbench' is not as it was written: Object missing required field"),
        (SOUND, {"ganbench": b"[]"}, "Expected `object`, got `array`"),
        (SOUND, {"ganbench": b"7"}, "Expected `object`, got `int`"),
        (SOUND, {"ganbench": b"version 3"}, "JSON is malformed"),
        (SOUND, {"ganbench": b'{"steps": 0, "breakdown": null}'}, "Expected `int` >= 1 - at `$.steps`"),
        (SOUND, {"ganbench": b'{"steps": 20, "breakdown": []}'}, "at `$.breakdown`"),
        ({"loss_d": [0.1, 0.2]}, {"ganbench": FACTS}, "it has no column 'step'"),
        ({"step": pa.array([], pa.int64())}, {"ganbench": FACTS}, "it has no rows: nothing was observed"),
        ({}, {"ganbench": FACTS}, "it has no rows: nothing was observed"),
        (SOUND | {"loss_d": ["a", "b"]}, {"ganbench": FACTS}, "column 'loss_d' holds no numbers but string"),
        (SOUND | {"step": ["10", "20"]}, {"ganbench": FACTS}, "column 'step' holds no numbers but string"),
        (SOUND | {"step": [10.5, 20.0]}, {"ganbench": FACTS}, "column 'step' holds 10.5, which is no count of steps"),
        (SOUND | {"step": [10, None]}, {"ganbench": FACTS}, "column 'step' holds nan"),
        (SOUND | {"step": [10.0, float("inf")]}, {"ganbench": FACTS}, "column 'step' holds inf"),
        (SOUND | {"step": [20, 10]}, {"ganbench": FACTS}, "column 'step' goes back from 20 to 10"),
    ],
)
def test_a_history_that_no_diagnosis_could_read_says_what_is_wrong_with_it(tmp_path, columns, metadata, said):
    table = pa.table(columns).replace_schema_metadata(metadata)
    pq.write_table(table, tmp_path / "history.parquet")
    with pytest.raises(Unreadable) as raised:
        read_history(tmp_path)
    assert str(raised.value).startswith(f"{tmp_path / 'history.parquet'}: ") and said in str(raised.value)


def test_a_history_with_two_columns_of_one_name_is_refused(tmp_path):
    table = pa.Table.from_arrays([pa.array([1]), pa.array([0.1]), pa.array([0.2])], ["step", "loss_d", "loss_d"])
    pq.write_table(table.replace_schema_metadata({"ganbench": FACTS}), tmp_path / "history.parquet")
    with pytest.raises(Unreadable, match="several columns called 'loss_d'"):
        read_history(tmp_path)


def test_a_history_whose_gaps_are_nulls_reads_them_as_nan(tmp_path):
    table = pa.table({"step": [1.0, 2.0], "loss_d": [0.5, None]}).replace_schema_metadata({"ganbench": FACTS})
    pq.write_table(table, tmp_path / "history.parquet")
    history = read_history(tmp_path)
    assert history.columns["step"].dtype == np.int64
    np.testing.assert_array_equal(history.columns["loss_d"], [0.5, np.nan])


@pytest.mark.parametrize(
    ("trials", "said"),
    [
        ("5", "Expected `array`, got `int`"),
        ("null", "Expected `array`, got `null`"),
        ('"all"', "Expected `array`, got `str`"),
        ('{"a": 1}', "Expected `array`, got `object`"),
        ('["a", 3]', "Expected `str`, got `int` - at `$[1]`"),
    ],
)
def test_a_run_whose_list_of_trials_is_none_is_one_clear_line(tmp_path, trials, said):
    (tmp_path / "suite.json").write_text(f'{{"suite": "s", "trials": {trials}}}')
    with pytest.raises(RequestError) as raised:
        Store(tmp_path).results()
    assert str(raised.value) == f"{tmp_path / 'suite.json'}: 'trials' is no list of trial ids: {said}"


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_no_draft_and_is_named(tmp_path, monkeypatch):
    path = tmp_path / "suite.json"
    write_atomically(path, b"old")
    write = Path.write_bytes

    def disk_full(draft, content):
        write(draft, content[:1])
        raise OSError(28, "No space left on device", str(draft))

    monkeypatch.setattr(Path, "write_bytes", disk_full)
    with pytest.raises(OSError, match="No space left") as raised:
        write_atomically(path, b"new")
    assert raised.value.filename == str(path)
    assert [file.name for file in tmp_path.iterdir()] == ["suite.json"] and path.read_bytes() == b"old"


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
