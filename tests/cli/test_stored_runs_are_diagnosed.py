"""`ganbench diagnose DIR`: what of a stored run can be diagnosed, a line for what cannot, and never code that it names."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import ganbench
from ganbench.contract.records import Artifacts, History, TrialResult
from ganbench.results.store import Store

HISTORY = Path(ganbench.__file__).parent / "testing" / "helpers" / "recordings" / "divergence" / "history.parquet"


@pytest.fixture
def stored(make_trial, tmp_path):
    """Store a run `out` of trials that ended so, those that are done with a history; returns their folders."""

    def store(*statuses, **changes) -> list[Path]:
        folder = Store(tmp_path / "out")
        trials = [replace(make_trial(seed=seed), **changes) for seed in range(len(statuses))]
        with folder.begin_run({"suite": "s", "trials": [trial.id for trial in trials]}, {}):
            for trial, status in zip(trials, statuses, strict=True):
                nothing = Artifacts(History({}, 60)) if status == "error" else None
                folder.write(TrialResult(trial, status, artifacts=nothing))
                if status == "done":
                    shutil.copy(HISTORY, folder.trials / trial.id)
        return [folder.trials / trial.id for trial in trials]

    return store


def test_trials_that_did_not_end_are_listed_with_a_line_each(stored, say_here):
    done, *lost = stored("done", "error", "timeout", "skipped")
    said = say_here("diagnose", "out", "--json")
    assert said.code == 0 and {row["trial"] for row in said.json} == {done.name}
    ended = [
        f"trial {path.name} ended in {how}" for path, how in zip(lost, ("error", "timeout", "skipped"), strict=True)
    ]
    assert said.err.splitlines() == [f"ganbench: {line}" for line in ended]


def test_what_a_trial_left_out_is_left_out_again(stored, say_here):
    (path,) = stored("done")
    found = {row["diagnosis"] for row in say_here("diagnose", "out", "--json").json}
    content = json.loads((path / "result.json").read_text())
    content["left_out"] = {"divergence": "the generator has no noise"}
    (path / "result.json").write_text(json.dumps(content))
    left = {row["diagnosis"] for row in say_here("diagnose", "out", "--json").json}
    assert "divergence" in found and left == found - {"divergence"}


def test_a_run_without_any_trial_is_nothing_to_diagnose(stored, say_here):
    stored()
    said = say_here("diagnose", "out", "--json")
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert said.first_line.startswith("ganbench: out holds a run without any trial to diagnose: none is finished")


def test_a_run_whose_trials_are_all_damaged_says_why_and_ends_as_wrong(stored, say_here):
    for path in stored("done", "done"):
        (path / "result.json").write_text("{")
    said = say_here("diagnose", "out", "--json")
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert "result.json: " in said.first_line and said.first_line.endswith(" and 1 more")


def test_findings_of_nothing_are_no_clean_bill_of_health(stored, say_here):
    paths = stored("done", "error")
    (paths[0] / "history.parquet").write_bytes(b"PAR1")
    said = say_here("diagnose", "out", "--json")
    assert (said.code, said.out) == (2, "")
    assert f"left out: {Path('out/trials', paths[0].name, 'history.parquet')}: " in said.err
    assert said.err.splitlines()[-1].startswith("ganbench: out: none of its trials can be diagnosed; left out: ")


@pytest.mark.parametrize("command", ["diagnose", "treat", "report", "score"])
def test_a_suite_json_whose_trials_are_no_list_is_named(say_here, tmp_path, command):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "suite.json").write_text('{"suite": "s", "trials": 5}')
    (tmp_path / "out" / "environment.json").write_text("{}")
    said = say_here(command, "out")
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert "out/suite.json: 'trials' is not a list of trial ids: Expected `array`, got `int`" in said.first_line


@pytest.mark.parametrize("command", ["diagnose", "report", "score"])
def test_a_plugin_file_that_a_stored_trial_names_is_never_run(stored, say_here, tmp_path, command):
    """Its diagnosis is looked for among what is loaded here, not where the trial says that it was."""
    evil = tmp_path / "elsewhere" / "evil.py"
    evil.parent.mkdir()
    evil.write_text(f"""
from pathlib import Path
import ganbench
Path({str(tmp_path)!r}, "marker").touch()

@ganbench.hookimpl
def ganbench_diagnoses():
    yield ganbench.Component("theirs", "ganbench.builtin.diagnoses.divergence:Divergence")
""")
    (path,) = stored("done", plugin_files=(str(evil),))
    trial = json.loads((path / "trial.json").read_text())
    trial["diagnoses"].append({"name": "theirs", "options": {}})
    (path / "trial.json").write_text(json.dumps(trial))
    said = say_here(command, "out")
    assert not (tmp_path / "marker").exists()
    if command == "diagnose":
        assert (
            "no diagnosis is called 'theirs'" in said.err and f"plugin file '{evil}', which is not loaded" in said.err
        )
