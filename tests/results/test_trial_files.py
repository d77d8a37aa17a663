"""A stored trial is read as it was written; a partial or damaged one is never taken for whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ganbench.contract.files import write_atomically
from ganbench.results.store import Store
from ganbench.results.trial_files import UnreadableTrial, read_history


def test_a_result_comes_back_as_it_was_stored(tmp_path, result):
    store = Store(tmp_path)
    store.write(result)
    stored = store.read(result.trial.id)
    assert stored.trial == result.trial
    for name in ("status", "reason", "steps", "seconds", "origins", "findings", "verdicts", "threads"):
        assert getattr(stored, name) == getattr(result, name)
    assert stored.scores[0].value == 1 / 3 and np.isnan(stored.scores[0].floor)
    history = read_history(store.trials / result.trial.id)
    assert history.nonfinite == result.artifacts.history.nonfinite and history.steps == 20
    for name, column in result.artifacts.history.columns.items():
        np.testing.assert_array_equal(history.columns[name], column)


def test_writing_a_trial_again_replaces_it(tmp_path, result):
    store = Store(tmp_path)
    store.write(result)
    store.write(result)
    assert [p.name for p in store.trials.iterdir()] == [result.trial.id]


@pytest.mark.parametrize("name", ["trial.json", "result.json", "findings.json", "scores.csv"])
@pytest.mark.parametrize("damage", ["gone", "cut", "binary"])
def test_a_damaged_file_is_named(tmp_path, result, name, damage):
    store = Store(tmp_path)
    store.write(result)
    path = store.trials / result.trial.id / name
    content = path.read_bytes()
    path.unlink() if damage == "gone" else path.write_bytes(
        content[: len(content) - 8] if damage == "cut" else b"\xff\x00"
    )
    if (name, damage) == ("scores.csv", "binary"):
        path.write_bytes(b"step,metric\n\xff,\xfe\n")
    with pytest.raises(UnreadableTrial, match=name):
        store.read(result.trial.id)


def test_a_damaged_history_is_named(tmp_path, result):
    store = Store(tmp_path)
    store.write(result)
    path = store.trials / result.trial.id / "history.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UnreadableTrial, match=r"history\.parquet"):
        read_history(path.parent)


VALID = {"step": [10, 20], "loss_d": [0.1, 0.2]}
FACTS = b'{"steps": 20, "nonfinite": null}'


@pytest.mark.parametrize(
    ("columns", "metadata", "message"),
    [
        (VALID, None, "not a history of ganbench: its schema has no metadata 'ganbench'"),
        (VALID, {"pandas": "{}"}, "not a history of ganbench"),
        (VALID, {"ganbench": b"{}"}, "metadata 'ganbench' is damaged: Object missing required field"),
        (VALID, {"ganbench": b"[]"}, "Expected `object`, got `array`"),
        (VALID, {"ganbench": b"7"}, "Expected `object`, got `int`"),
        (VALID, {"ganbench": b"version 3"}, "JSON is malformed"),
        (VALID, {"ganbench": b'{"steps": 0, "nonfinite": null}'}, "Expected `int` >= 1 - at `$.steps`"),
        (VALID, {"ganbench": b'{"steps": 20, "nonfinite": []}'}, "at `$.nonfinite`"),
        ({"loss_d": [0.1, 0.2]}, {"ganbench": FACTS}, "it has no column 'step'"),
        ({"step": pa.array([], pa.int64())}, {"ganbench": FACTS}, "it has no rows: nothing was observed"),
        ({}, {"ganbench": FACTS}, "it has no rows: nothing was observed"),
        (VALID | {"loss_d": ["a", "b"]}, {"ganbench": FACTS}, "column 'loss_d' holds string, not numbers"),
        (VALID | {"step": ["10", "20"]}, {"ganbench": FACTS}, "column 'step' holds string, not numbers"),
        (
            VALID | {"step": [10.5, 20.0]},
            {"ganbench": FACTS},
            "column 'step' holds 10.5, which is not a number of steps",
        ),
        (VALID | {"step": [10, None]}, {"ganbench": FACTS}, "column 'step' holds nan"),
        (VALID | {"step": [10.0, float("inf")]}, {"ganbench": FACTS}, "column 'step' holds inf"),
        (VALID | {"step": [20, 10]}, {"ganbench": FACTS}, "column 'step' goes back from 20 to 10"),
    ],
)
def test_a_history_that_no_diagnosis_can_read_is_refused_with_the_reason(tmp_path, columns, metadata, message):
    table = pa.table(columns).replace_schema_metadata(metadata)
    pq.write_table(table, tmp_path / "history.parquet")
    with pytest.raises(UnreadableTrial) as raised:
        read_history(tmp_path)
    assert str(raised.value).startswith(f"{tmp_path / 'history.parquet'}: ") and message in str(raised.value)


def test_a_history_with_two_columns_of_one_name_is_refused(tmp_path):
    table = pa.Table.from_arrays([pa.array([1]), pa.array([0.1]), pa.array([0.2])], ["step", "loss_d", "loss_d"])
    pq.write_table(table.replace_schema_metadata({"ganbench": FACTS}), tmp_path / "history.parquet")
    with pytest.raises(UnreadableTrial, match="several columns called 'loss_d'"):
        read_history(tmp_path)


def test_nulls_of_a_history_are_read_as_nan(tmp_path):
    table = pa.table({"step": [1.0, 2.0], "loss_d": [0.5, None]}).replace_schema_metadata({"ganbench": FACTS})
    pq.write_table(table, tmp_path / "history.parquet")
    history = read_history(tmp_path)
    assert history.columns["step"].dtype == np.int64
    np.testing.assert_array_equal(history.columns["loss_d"], [0.5, np.nan])


def test_a_result_that_cannot_be_stored_leaves_nothing_behind(tmp_path, result):
    store = Store(tmp_path)
    with pytest.raises(TypeError):
        store.write(replace(result, reason=object()))
    assert not list(store.trials.iterdir())


def test_a_file_that_cannot_be_written_is_named_and_the_old_one_stays(tmp_path, monkeypatch):
    path = tmp_path / "suite.json"
    write_atomically(path, b"old")
    write = Path.write_bytes

    def disk_full(path, content):
        write(path, content[:1])
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", disk_full)
    with pytest.raises(OSError, match="No space left") as raised:
        write_atomically(path, b"new")
    assert raised.value.filename == str(path) and str(raised.value).endswith(f"{str(path)!r}")
    assert [file.name for file in tmp_path.iterdir()] == ["suite.json"] and path.read_bytes() == b"old"
