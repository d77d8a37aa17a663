"""Results of many trials are read from one file while their own files are what they were, and from those otherwise."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace

import pytest

from ganbench.results import result_cache
from ganbench.results.result_cache import CACHE_FILE, MIN_TRIALS
from ganbench.results.store import Store


@pytest.fixture
def store(tmp_path, result, monkeypatch) -> Store:
    """A folder with three trials, which count as many."""
    monkeypatch.setattr(result_cache, "MIN_TRIALS", 3)
    store = Store(tmp_path)
    results = [replace(result, trial=replace(result.trial, id=f"t{i}", seed=i), findings=()) for i in range(3)]
    with store.begin_run({"suite": "s", "trials": [one.trial.id for one in results]}, {}):
        for one in results:
            store.write(one)
    return store


@pytest.fixture
def read_files(monkeypatch) -> list[str]:
    """The trials whose own files are read."""
    read, original = [], result_cache.read_result

    def read_result(folder):
        read.append(folder.name)
        return original(folder)

    monkeypatch.setattr(result_cache, "read_result", read_result)
    return read


def test_a_second_reading_is_the_same_and_opens_no_trial(store, read_files):
    first = store.results()
    assert read_files == ["t0", "t1", "t2"]
    again = store.results()
    assert repr(again) == repr(first)
    assert read_files == ["t0", "t1", "t2"]


def test_a_trial_that_was_changed_or_added_is_read_again_alone(store, read_files, result):
    store.results()
    path = store.trials / "t1" / "result.json"
    path.write_text(path.read_text().replace("why", "how"))
    with store.begin_run({"suite": "s", "trials": ["t0", "t1", "t2", "t3"]}, {}):
        store.write(replace(result, trial=replace(result.trial, id="t3", seed=3), findings=()))
    read_files.clear()
    results, _ = store.results()
    assert [one.reason for one in results] == ["why “not”", "how “not”", "why “not”", "why “not”"]
    assert read_files == ["t1", "t3"]


def test_a_trial_that_was_changed_and_dated_back_is_read_again(store, read_files):
    store.results()
    path = store.trials / "t1" / "result.json"
    stat = path.stat()
    path.write_text(path.read_text().replace("why", "how"))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    read_files.clear()
    assert store.results()[0][1].reason == "how “not”" and read_files == ["t1"]


def test_a_trial_that_was_damaged_since_is_reported(store):
    store.results()
    (store.trials / "t1" / "trial.json").write_text("{")
    results, damaged = store.results()
    assert [one.trial.id for one in results] == ["t0", "t2"]
    assert "t1" in damaged[0]


def test_a_trial_that_was_deleted_is_not_listed_any_more(store):
    store.results()
    for file in (store.trials / "t1").iterdir():
        file.unlink()
    (store.trials / "t1").rmdir()
    assert [one.trial.id for one in store.results()[0]] == ["t0", "t2"]


@pytest.mark.parametrize("content", [b"", b"\x00nonsense", b"\x82" * 5000, b"\x92\xa5other\x80"])
def test_a_damaged_cache_is_not_used_and_is_said(store, content, read_files):
    first = store.results()
    (store.folder / CACHE_FILE).write_bytes(content)
    read_files.clear()
    with pytest.warns(UserWarning, match="is damaged, and the files of the trials are read instead"):
        assert repr(store.results()) == repr(first)
    assert read_files == ["t0", "t1", "t2"]


@pytest.mark.parametrize("theirs", ["999.0.0", "0.0.1"])
def test_a_cache_of_another_version_is_not_used(store, theirs, read_files, monkeypatch, recwarn):
    monkeypatch.setattr(result_cache, "own_version", lambda: theirs)
    first = store.results()
    monkeypatch.undo()
    monkeypatch.setattr(result_cache, "MIN_TRIALS", 3)
    read_files.clear()
    assert repr(store.results()) == repr(first)
    assert not recwarn.list


def test_no_byte_that_changed_on_the_disk_becomes_a_result(store):
    first = store.results()
    path = store.folder / CACHE_FILE
    whole = path.read_bytes()
    for at in range(0, len(whole), 29):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert repr(store.results()) == repr(first), at
        assert path.read_bytes() == whole


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_read_all_the_same(store):
    store.folder.chmod(0o500)
    try:
        assert len(store.results()[0]) == 3
    finally:
        store.folder.chmod(0o700)


def test_a_disk_that_is_full_is_no_reason_not_to_read(store, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(result_cache, "write_atomically", fail)
    assert len(store.results()[0]) == 3


def test_few_trials_are_not_worth_a_file(store, monkeypatch):
    monkeypatch.setattr(result_cache, "MIN_TRIALS", MIN_TRIALS)
    store.results()
    assert not (store.folder / CACHE_FILE).exists()
