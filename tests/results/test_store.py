"""A results folder belongs to one suite, and one run at a time writes to it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ganbench import RequestError
from ganbench.contract.errors import StorageError
from ganbench.results import lease as lease_module
from ganbench.results import store as store_module
from ganbench.results.store import Store


def test_a_folder_of_another_suite_is_refused(tmp_path):
    store = Store(tmp_path / "run")
    store.check("s")
    with store.begin_run({"suite": "s"}, {}):
        pass
    store.check("s")
    with pytest.raises(RequestError, match="belongs to suite 's', not 'other'"):
        store.check("other")


def test_leftovers_of_a_killed_writer_are_removed_and_never_read(tmp_path, result):
    store = Store(tmp_path)
    partial = store.trials / f".{result.trial.id}.abc"
    partial.mkdir(parents=True)
    (partial / "trial.json").write_text("{")
    assert not store.has(result.trial.id)
    with store.begin_run({"suite": "s", "trials": [result.trial.id]}, {}):
        assert not partial.exists()
    assert store.results() == ([], [])


LOCK = """
import sys
from pathlib import Path
from ganbench.results.store import Store
with Store(Path(sys.argv[1])).begin_run({"suite": "s"}, {}):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_two_runs_cannot_write_to_one_folder(tmp_path):
    line = [sys.executable, "-c", LOCK, str(tmp_path)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(RequestError, match="another run is writing to"), Store(tmp_path).begin_run({}, {}):
            pass
    assert json.loads((tmp_path / "suite.json").read_text())["suite"] == "s"
    with Store(tmp_path).begin_run({"suite": "s"}, {}):
        pass


def test_a_run_killed_before_it_wrote_anything_can_start_again(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".lock").touch()
    (folder / ".suite.json.12345678").write_text("{")
    Store(folder).check("s")
    with Store(folder).begin_run({"suite": "s"}, {}):
        assert {p.name for p in folder.iterdir()} == {".lock", ".lease", "suite.json", "environment.json", "trials"}


@pytest.mark.parametrize(
    ("trials", "message"),
    [
        ("5", "Expected `array`, got `int`"),
        ("null", "Expected `array`, got `null`"),
        ('"all"', "Expected `array`, got `str`"),
        ('{"a": 1}', "Expected `array`, got `object`"),
        ('["a", 3]', "Expected `str`, got `int` - at `$[1]`"),
    ],
)
def test_a_damaged_list_of_trials_is_refused_in_one_line(tmp_path, trials, message):
    (tmp_path / "suite.json").write_text(f'{{"suite": "s", "trials": {trials}}}')
    with pytest.raises(RequestError) as raised:
        Store(tmp_path).results()
    assert str(raised.value) == f"{tmp_path / 'suite.json'}: 'trials' is not a list of trial ids: {message}"


@pytest.mark.parametrize("full_at", ["the folder", "the lease", "its first file"])
def test_a_disk_that_is_full_at_the_start_of_a_run_is_said_in_one_line_and_the_folder_is_free_again(
    tmp_path, monkeypatch, recwarn, full_at
):
    with monkeypatch.context() as patch:

        def fail(*_, **__):
            raise OSError(28, "No space left on device", "a file")

        if full_at == "the folder":
            patch.setattr(store_module.Path, "mkdir", fail)
        elif full_at == "the lease":  # which is there already, empty
            patch.setattr(lease_module.msgspec.json, "encode", fail)
        else:
            patch.setattr(store_module, "write_atomically", fail)
        with pytest.raises(StorageError) as raised, Store(tmp_path).begin_run({"suite": "s"}, {}):
            pass
    assert "No space left on device" in str(raised.value)
    assert "\n" not in str(raised.value)
    with Store(tmp_path).begin_run({"suite": "s"}, {}):
        pass
    assert not recwarn.list, "no other host is waited for"
