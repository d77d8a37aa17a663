"""A run that is cut off keeps the rows that it had."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from tracked_trials import READERS, make_trial, progress

import ganbench

TESTS = Path(__file__).parent
CUT_OFF = """
import os, signal, sys
from tracked_trials import make_trial, progress
from ganbench_trackers.listener import Listener
import ganbench

listener = Listener()
listener.handle(ganbench.RunStarted("tiny", 1, 0, sys.argv[1]))
listener.handle(ganbench.TrialStarted(make_trial(0)))
listener.handle(progress(make_trial(0), 10, loss_d=1.0))
os.kill(os.getpid(), int(sys.argv[2]))
"""


def cut_off(output: Path, store: Path, trackers: Iterable[str], with_signal: int) -> str:
    """Start a trial in a process that ends by a signal; returns what it said. Its MLflow store is a copy of `store`."""
    (output / "tracking/mlflow").mkdir(parents=True)
    shutil.copy(store, output / "tracking/mlflow/mlflow.db")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "WANDB_"))}
    environment = {**kept, "GANBENCH_TRACKERS": ",".join(trackers), "PYTHONPATH": str(TESTS)}
    line = [sys.executable, "-c", CUT_OFF, str(output), str(int(with_signal))]
    return subprocess.run(line, env=environment, capture_output=True, text=True, check=False).stderr


def test_after_ctrl_c_trials_are_closed_as_interrupted(output, empty_mlflow_store):
    said = cut_off(output, empty_mlflow_store, READERS, signal.SIGINT)
    assert "left out" not in said
    for tracker, read in READERS.items():
        kept = read(output / "tracking")[make_trial(0).id]
        assert kept.metrics["history/loss_d"] == [(10, 1.0)], tracker
        assert kept.failed, tracker
        assert "KILLED" in kept.outcome or "interrupted" in kept.outcome, tracker


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill so")
def test_after_a_kill_the_rows_are_there_and_the_next_run_tidies_up(output, listener, monkeypatch, empty_mlflow_store):
    at_once = ("tensorboard", "mlflow")  # wandb writes 32 KiB at a time
    cut_off(output, empty_mlflow_store, at_once, signal.SIGKILL)
    for tracker in at_once:
        kept = READERS[tracker](output / "tracking")[make_trial(0).id]
        assert kept.metrics["history/loss_d"] == [(10, 1.0)], tracker
        assert kept.failed is None, tracker

    monkeypatch.setenv("GANBENCH_TRACKERS", "mlflow")
    listener.handle(ganbench.RunStarted("tiny", 1, 0, str(output)))
    assert "KILLED" in READERS["mlflow"](output / "tracking")[make_trial(0).id].outcome


def test_an_interrupted_run_does_not_leak_into_the_next_of_the_same_process(listener, output, monkeypatch):
    monkeypatch.setenv("GANBENCH_TRACKERS", "tensorboard")
    listener.handle(ganbench.RunStarted("tiny", 1, 0, str(output)))
    listener.handle(ganbench.TrialStarted(make_trial(0)))
    monkeypatch.setenv("GANBENCH_TRACKERS", "")
    listener.handle(ganbench.RunStarted("tiny", 1, 0, str(output)))
    listener.handle(progress(make_trial(0), 10, loss_d=1.0))
    kept = READERS["tensorboard"](output / "tracking")[make_trial(0).id]
    assert kept.metrics == {} and "interrupted" in kept.outcome
