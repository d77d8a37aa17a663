"""A run that is killed with its process tree, several times, ends with the results of an uninterrupted one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

SUITE = """
metrics = ["modes", "energy-distance"]
seeds = 2
[datasets.ring]
dataset = { name = "ring", sigma = 0.05 }
[training]
steps = 300
batch_size = 64
ema = 0.9
[methods.hinge]
loss = "hinge"
generator = "mlp"
discriminator = "mlp"
[methods.relativistic]
loss = "relativistic"
regularizers = ["r1", "dragan"]
generator = "mlp"
discriminator = "mlp"
"""

TIMING = ["train_seconds", "seconds"]


def command(suite: str, output: Path) -> list[str]:
    """Return a command line; `suite` may have more arguments after its name."""
    return [
        sys.executable,
        "-m",
        "ganbench",
        "run",
        "--output",
        str(output),
        "--workers",
        "2",
        "--suite",
        *suite.split(),
    ]


def uninterrupted(suite: str, output: Path) -> float:
    began = time.monotonic()
    subprocess.run(command(suite, output), check=True, capture_output=True)
    return time.monotonic() - began


def killed(suite: str, output: Path, after: float) -> bool:
    """Start the run and kill its process tree so many seconds after training began; return whether it was running."""
    with subprocess.Popen(command(suite, output), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        process.stderr.readline()  # the first progress line: workers are training
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            tree = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
            for member in tree:
                os.kill(member.pid, signal.SIGKILL)
            return True
        return False


def assert_equal_reports(ours: Path, theirs: Path) -> None:
    for name in ("trials", "scores", "findings", "comparison"):
        a, b = (pd.read_csv(folder / "report" / f"{name}.csv") for folder in (ours, theirs))
        assert len(a)
        pd.testing.assert_frame_equal(
            a.drop(columns=TIMING, errors="ignore"), b.drop(columns=TIMING, errors="ignore"), check_exact=True
        )


def kill_and_resume(suite: str, tmp_path: Path, kills: int) -> None:
    seconds = uninterrupted(suite, tmp_path / "uninterrupted")
    times = random.Random(0)
    hits = sum(killed(suite, tmp_path / "killed", times.uniform(0, seconds / kills)) for _ in range(kills))
    assert hits, "no run was killed while it was training"
    uninterrupted(suite, tmp_path / "killed")
    assert_equal_reports(tmp_path / "killed", tmp_path / "uninterrupted")
    assert not list((tmp_path / "killed" / "trials").glob(".*"))


@pytest.mark.timeout(250)
def test_a_small_run_killed_three_times_ends_the_same(tmp_path):
    (tmp_path / "small.toml").write_text(SUITE)
    kill_and_resume(str(tmp_path / "small.toml"), tmp_path, kills=3)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_basic_killed_at_ten_random_moments_ends_the_same(tmp_path):
    kill_and_resume("basic", tmp_path, kills=10)


def test_ctrl_c_keeps_results_ends_the_workers_and_prints_how_to_continue(tmp_path):
    (tmp_path / "small.toml").write_text(SUITE.replace("steps = 300", "steps = 100000"))
    line = [*command(str(tmp_path / "small.toml"), tmp_path / "out"), "--steps", "100000"]
    # A background job ignores SIGINT, and so do tests that run in one: the command must not inherit that.
    handles_sigint = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True, start_new_session=True, **handles_sigint) as process:
        assert process.stderr is not None
        process.stderr.readline()  # the first progress line: workers are training
        workers = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole process group
        errors = process.stderr.read()
        assert process.wait(30) == 130
    assert "interrupted; finished trials are kept in" in errors and "Continue with: ganbench run" in errors
    assert "Traceback" not in errors
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive


def test_workers_do_not_outlive_a_killed_parent(tmp_path):
    (tmp_path / "small.toml").write_text(SUITE.replace("steps = 300", "steps = 100000"))
    with subprocess.Popen(command(str(tmp_path / "small.toml"), tmp_path / "out"), stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        process.stderr.readline()
        workers = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert workers and not alive


def test_a_run_whose_standard_error_is_gone_still_finishes(tmp_path):
    (tmp_path / "small.toml").write_text(SUITE)
    line = [*command(str(tmp_path / "small.toml"), tmp_path / "out"), "--steps", "20"]
    with subprocess.Popen(line, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert process.stderr is not None
        process.stderr.close()
        assert process.wait(120) == 0
    assert set(pd.read_csv(tmp_path / "out/report/trials.csv").status) == {"done"}
