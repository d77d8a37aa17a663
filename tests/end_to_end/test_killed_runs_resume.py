"""A run that is killed or paused, several times, ends with the files of an uninterrupted one, but for timings."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
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

# Trials that take longer than a run lives: an average, penalties at every fourth update, batch normalization.
LONG = """
metrics = ["modes", "energy-distance"]
seeds = 1
[checkpoints]
steps = 20
[training]
ema = 0.9
batch_size = 32
[datasets.ring]
dataset = { name = "ring", sigma = 0.05 }
steps = 3000
[datasets.digits]
steps = 400
[methods.hinge]
loss = "hinge"
regularizers = [{ name = "r1", every = 4 }]
points = { generator = "mlp", discriminator = "mlp" }
[methods.hinge.images]
generator = { name = "conv", width = 8 }
discriminator = { name = "conv", width = 8, normalization = "batch" }
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
        while b"steps/s" not in process.stderr.readline():  # of the first progress line: workers are training
            if process.poll() is not None:
                return False
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


def assert_equal_trials(ours: Path, theirs: Path) -> None:
    """The same files, with the same bytes, but for timings."""
    names = [
        sorted(path.relative_to(folder) for path in folder.glob("trials/*/**/*") if path.is_file())
        for folder in (ours, theirs)
    ]
    assert names[0] == names[1] and names[0]
    for name in names[0]:
        a, b = ours / name, theirs / name
        if name.name == "scores.csv":
            scores = [pd.read_csv(path).drop(columns=TIMING, errors="ignore") for path in (a, b)]
            pd.testing.assert_frame_equal(*scores, check_exact=True)
        elif name.name == "result.json":
            facts = [json.loads(path.read_bytes()) for path in (a, b)]
            for fact in facts:
                fact.update(dict.fromkeys(TIMING))
            assert facts[0] == facts[1]
        else:
            assert a.read_bytes() == b.read_bytes(), name


def kill_and_resume(suite: str, tmp_path: Path, kills: int) -> None:
    seconds = uninterrupted(suite, tmp_path / "uninterrupted")
    times = random.Random(0)
    hits = sum(killed(suite, tmp_path / "killed", times.uniform(0, seconds / kills)) for _ in range(kills))
    assert hits, "no run was killed while it was training"
    uninterrupted(suite, tmp_path / "killed")
    assert_equal_reports(tmp_path / "killed", tmp_path / "uninterrupted")
    assert_equal_trials(tmp_path / "killed", tmp_path / "uninterrupted")
    assert not (tmp_path / "killed" / "checkpoints").exists()
    assert not list((tmp_path / "killed" / "trials").glob(".*"))


@pytest.mark.timeout(250)
def test_a_small_run_killed_three_times_ends_the_same(tmp_path):
    (tmp_path / "small.toml").write_text(SUITE)
    kill_and_resume(str(tmp_path / "small.toml"), tmp_path, kills=3)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kills", [5, 100])
def test_a_run_killed_within_its_trials_ends_the_same(tmp_path, kills):
    steps = LONG.replace("steps = 3000", f"steps = {200 * kills}").replace("steps = 400", f"steps = {25 * kills}")
    (tmp_path / "long.toml").write_text(steps)
    kill_and_resume(str(tmp_path / "long.toml"), tmp_path, kills)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_basic_killed_at_ten_random_moments_ends_the_same(tmp_path):
    kill_and_resume("basic", tmp_path, kills=10)


def saved(output: Path) -> set[str]:
    """The trials that have a checkpoint."""
    return {path.parts[-3] for path in output.glob("checkpoints/*/0*/checkpoint.json")}


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not condition():
        assert process.poll() is None, f"ended with {process.returncode}"
        time.sleep(0.05)


@pytest.mark.parametrize("to_all", [False, True], ids=["to the command", "to the whole job"])
def test_sigterm_saves_what_trains_and_says_how_to_go_on(tmp_path, to_all):
    (tmp_path / "long.toml").write_text(LONG.replace("steps = 3000", "steps = 100000").replace("= 400", "= 100000"))
    line, output = command(str(tmp_path / "long.toml"), tmp_path / "out"), tmp_path / "out"
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr is not None
        wait_until(lambda: len(saved(output)) == 2, process)
        workers = psutil.Process(process.pid).children(recursive=True)
        began = time.monotonic()
        os.killpg(process.pid, signal.SIGTERM) if to_all else process.terminate()
        errors = process.stderr.read()
        assert process.wait(30) == 75
    assert time.monotonic() - began < 20
    assert "paused by SIGTERM: 0 of 2 trials ended" in errors and "2 more are saved where they were" in errors
    assert "Continue with: ganbench run" in errors and "Traceback" not in errors
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = []
        while not lines or (lines[-1] and sum(" goes on after " in text for text in lines) < 2):
            lines.append(process.stderr.readline())
        process.kill()
    assert lines[-1], "it did not go on with both trials"


def test_a_run_whose_minutes_are_over_ends_in_time_and_says_how_to_go_on(tmp_path):
    (tmp_path / "long.toml").write_text(LONG.replace("steps = 3000", "steps = 1000000"))
    line = [*command(str(tmp_path / "long.toml"), tmp_path / "out"), "--max-minutes", "0.3", "--only", "dataset=ring"]
    began = time.monotonic()
    done = subprocess.run(line, capture_output=True, text=True, timeout=100)
    assert done.returncode == 75
    assert time.monotonic() - began < 60 * 0.3 + 10  # the minutes begin when Python and ganbench are there
    assert "paused by the end of its minutes: 0 of 1 trials ended" in done.stderr
    assert "Continue with: ganbench run" in done.stderr


def test_a_fresh_run_goes_on_from_no_checkpoint(tmp_path):
    (tmp_path / "small.toml").write_text("checkpoints = { steps = 5 }\n" + SUITE.replace("seeds = 2", "seeds = 1"))
    line = [*command(str(tmp_path / "small.toml"), tmp_path / "out"), "--only", "method=hinge"]
    with subprocess.Popen(line, stderr=subprocess.DEVNULL, text=True) as process:
        wait_until(lambda: bool(saved(tmp_path / "out")), process)
        process.kill()
    done = subprocess.run([*line, "--fresh"], capture_output=True, text=True, check=True)
    assert "goes on" not in done.stderr
    assert not (tmp_path / "out" / "checkpoints").exists()


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
        while b" trials, " not in process.stderr.readline():
            assert process.poll() is None
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
