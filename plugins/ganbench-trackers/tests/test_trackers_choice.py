"""Trackers are chosen by the environment; a wrong choice is reported once, as the run starts."""

import importlib.util
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from ganbench_trackers import choice
from tracked_trials import make_result, make_trial, progress, read_tensorboard

import ganbench
from ganbench.registry.plugins import load_plugins
from ganbench.registry.registry import load_registry


def test_the_plugin_is_found_by_its_entry_point():
    assert str(load_registry().plugins.origins["trackers"]) == "ganbench-trackers 0.1.0"


def test_the_plugin_imports_no_tracker_library():
    code = "import ganbench_trackers, sys; print({'torch', 'tensorboard', 'mlflow', 'wandb'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"


def test_nothing_is_written_unless_asked_for(listener, output):
    listener.handle(ganbench.RunStarted("tiny", 1, 0, str(output)))
    listener.handle(ganbench.TrialStarted(make_trial(0)))
    listener.handle(progress(make_trial(0), 10, loss_d=1.0))
    listener.handle(ganbench.TrialEnded(make_result(make_trial(0))))
    listener.handle(ganbench.RunEnded("tiny", ()))
    assert not output.exists()


def test_a_misspelt_name_is_answered_with_the_nearest(listener, output, monkeypatch):
    monkeypatch.setenv("GANBENCH_TRACKERS", "tensorboard, TensorBord")
    with pytest.raises(ValueError, match="no tracker is called 'TensorBord'; did you mean 'tensorboard'"):
        listener.handle(ganbench.RunStarted("tiny", 1, 0, str(output)))
    assert not output.exists()


def test_an_unknown_name_is_answered_with_all_valid_ones():
    with pytest.raises(ValueError, match="valid: mlflow, tensorboard, wandb"):
        choice.parse_names("comet")


def test_repeated_names_and_blanks_are_dropped():
    assert choice.parse_names(" wandb,,mlflow, wandb ,") == ["wandb", "mlflow"]


@pytest.mark.parametrize(("tracker", "library"), [("tensorboard", "tensorboard"), ("mlflow", "alembic")])
def test_a_library_that_is_not_installed_is_answered_with_the_command(tracker, library, listener, output, monkeypatch):
    really = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == library else really(name))
    monkeypatch.setenv("GANBENCH_TRACKERS", tracker)
    with pytest.raises(ImportError, match=rf"needs {library}, .* pip install 'ganbench-trackers\[{tracker}\]'"):
        listener.handle(ganbench.RunStarted("tiny", 1, 0, str(output)))


def test_a_folder_named_as_the_library_is_not_the_library(monkeypatch, tmp_path):
    (tmp_path / "trackless").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(choice.LIBRARIES, "wandb", ("trackless",))
    with pytest.raises(ImportError, match="needs trackless"):
        choice.choose_trackers({"GANBENCH_TRACKERS": "wandb"}, ganbench.RunStarted("tiny", 1, 0))


def test_a_mode_that_wandb_does_not_know_is_answered_with_those_it_knows(listener, output, monkeypatch):
    monkeypatch.setenv("GANBENCH_TRACKERS", "wandb")
    monkeypatch.setenv("WANDB_MODE", "ofline")
    with pytest.raises(ValueError, match="WANDB_MODE: 'ofline' is unknown; valid: online, offline, disabled"):
        listener.handle(ganbench.RunStarted("tiny", 1, 0, str(output)))


def test_the_run_goes_on_without_trackers_after_one_warning(monkeypatch, output):
    monkeypatch.setenv("GANBENCH_TRACKERS", "mlfow")
    plugins = load_plugins.__wrapped__()  # not the ones that other tests share: a plugin will be set aside
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        plugins.emit(ganbench.RunStarted("tiny", 1, 0, str(output)))
        plugins.emit(ganbench.TrialStarted(make_trial(0)))
        plugins.emit(progress(make_trial(0), 10, loss_d=1.0))
    (line,) = [str(w.message) for w in said]
    assert line.startswith("plugin 'trackers' is left out") and "did you mean 'mlflow'?" in line


def test_the_folder_can_be_set(listener, output, monkeypatch, tmp_path):
    monkeypatch.setenv("GANBENCH_TRACKERS", "tensorboard")
    monkeypatch.setenv("GANBENCH_TRACKERS_DIR", str(tmp_path / "shared"))
    for name in ("one", "two"):
        listener.handle(ganbench.RunStarted("tiny", 1, 0, str(tmp_path / name)))
        listener.handle(ganbench.TrialEnded(make_result(make_trial(0))))
        listener.handle(ganbench.RunEnded("tiny", ()))
    folders = sorted(p.relative_to(tmp_path / "shared") for p in (tmp_path / "shared").glob("*/*/*"))
    assert [str(folder) for folder in folders] == [f"tensorboard/{name}/{make_trial(0).id}" for name in ("one", "two")]
    assert set(read_tensorboard(tmp_path / "shared")) == {make_trial(0).id}


def test_a_tracker_that_fails_does_not_affect_the_others(listener, output, monkeypatch, empty_mlflow_store, tmp_path):
    store = shutil.copy(empty_mlflow_store, tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}")
    monkeypatch.setenv("GANBENCH_TRACKERS", "mlflow,tensorboard")
    listener.handle(ganbench.RunStarted("tiny", 1, 0, str(output)))
    listener.handle(ganbench.TrialStarted(make_trial(0)))
    Path(store).write_bytes(b"not a database" * 1000)
    with pytest.warns(UserWarning, match="tracker 'mlflow' is disabled: .*not a database"):
        listener.handle(progress(make_trial(0), 10, loss_d=1.0))
    listener.handle(progress(make_trial(0), 20, loss_d=2.0))
    listener.handle(ganbench.TrialEnded(make_result(make_trial(0))))
    listener.handle(ganbench.RunEnded("tiny", ()))
    kept = read_tensorboard(output / "tracking")[make_trial(0).id]
    assert kept.metrics["history/loss_d"] == [(10, 1.0), (20, 2.0)]
    assert kept.failed is False
