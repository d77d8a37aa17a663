"""Runs as jobs, on a Slurm of one file: every row is right, a run can be left, joined and paused, lost jobs go on."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fake_slurm
import pytest
from cluster_runs import numbers, reason_of, run_suite, start_run, statuses, write_suite

pytest.importorskip("ganbench_slurm")

# What would have a test wait is shorter than on a cluster.
QUICK = 'name = "slurm", poll = 0.1, heartbeat = 1.0, silence = 120.0, grace = 10.0'
SLOW = {"slow": '{ name = "slow", seconds = 0.25 }'}
WAIT_SECONDS = 240.0
TRIAL_SECONDS = 600.0  # no trial that a test holds is over time


def held(gate: Path) -> dict[str, str]:
    """Losses: one whose trials take minutes until a file is there, and seconds from then on."""
    return {"slow": f'{{ name = "slow", seconds = 0.25, until = "{gate}" }}'}


@contextmanager
def running(suite: Path, output: Path) -> Iterator[subprocess.Popen[str]]:
    """A run that has ended when the block is left, however it is left."""
    run = start_run(suite, output)
    try:
        yield run
    finally:
        if run.poll() is None:
            run.kill()
            run.communicate()
        run.stdout.close()


def wait_until(condition, what, run=None):
    """Wait until a condition holds; not longer than the run that is to bring it about."""
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        if run is not None and run.poll() is not None and not condition():
            raise AssertionError(f"the run has ended, and not yet: {what}; {run.communicate()[0]}")
        assert time.monotonic() < end, f"after {WAIT_SECONDS:g} s not yet: {what}"
        time.sleep(0.05)


def states(slurm: Path) -> list[str]:
    """The states of all tasks of all jobs."""
    return [path.read_text() for job in fake_slurm.jobs(slurm) for path in sorted(job.glob("*.state"))]


def stored(output: Path) -> int:
    """How many trials are stored."""
    return len(list(output.glob("trials/*")))


def test_each_row_is_that_of_inline_beside_trials_that_raise_and_die(slurm, tmp_path):
    executor = f"{{ {QUICK}, trials_per_job = 3, threads = 1 }}"
    losses = {"ok": '"non-saturating"', "raising": '{ name = "failing", raises = 100 }'}
    suite = write_suite(tmp_path / "suite", executor, losses, seeds=2)
    inline = write_suite(tmp_path / "inline suite", '"inline"', losses, seeds=2)
    code, printed = run_suite(suite, tmp_path / "out")
    assert code == 1 and "2 trials ended in error or timeout" in printed, printed
    assert statuses(tmp_path / "out") == {"ok 0": "done", "ok 1": "done", "raising 0": "error", "raising 1": "error"}
    assert run_suite(inline, tmp_path / "inline")[0] == 1
    assert numbers(tmp_path / "out") == numbers(tmp_path / "inline")
    assert [json.loads((job / "spec.json").read_text())["last"] for job in fake_slurm.jobs(slurm)] == [1], (
        "4 trials by 3"
    )
    assert not (tmp_path / "out" / "slurm").exists(), "nothing of the jobs is left"


@pytest.mark.slow
def test_a_trial_that_dies_or_hangs_costs_its_job_no_other(slurm, tmp_path):
    losses = {"dying": '{ name = "failing", dies = 100 }', "hanging": '{ name = "failing", hangs = 100 }'}
    suite = write_suite(
        tmp_path / "suite", f"{{ {QUICK}, trials_per_job = 3 }}", losses | {"ok": '"hinge"'}, seeds=1, timeout=20.0
    )
    code, printed = run_suite(suite, tmp_path / "out")
    assert code == 1, printed
    assert statuses(tmp_path / "out") == {"dying 0": "error", "hanging 0": "timeout", "ok 0": "done"}
    assert reason_of(tmp_path / "out", "dying", 0) == "the worker died: killed by SIGKILL"
    assert reason_of(tmp_path / "out", "hanging", 0) == "not done after 20 s"
    assert len(fake_slurm.jobs(slurm)) == 1


def test_a_run_that_is_left_is_joined(slurm, tmp_path):
    output, gate = tmp_path / "out", tmp_path / "gate"
    suite = write_suite(tmp_path / "suite", f"{{ {QUICK} }}", held(gate), seeds=1, steps=1000, timeout=TRIAL_SECONDS)
    with running(suite, output) as run:
        wait_until(lambda: list(output.glob("checkpoints/*/0*")), "a checkpoint is written", run)
        run.send_signal(signal.SIGINT)
        printed, _ = run.communicate(timeout=WAIT_SECONDS)
    assert run.returncode == 130, printed
    assert "the jobs of this run go on; the same command joins them, 'scancel 11' ends them" in printed
    assert states(slurm) == ["RUNNING"]
    gate.touch()
    code, printed = run_suite(suite, output)
    assert code == 0 and len(fake_slurm.jobs(slurm)) == 1, printed
    assert "goes on after" not in printed, "its job was never stopped"
    assert statuses(output) == {"slow 0": "done"}


def test_a_paused_run_ends_its_jobs_with_checkpoints(slurm, tmp_path):
    output = tmp_path / "out"
    executor = f"{{ {QUICK}, workers = 1 }}"
    suite = write_suite(tmp_path / "suite", executor, SLOW, seeds=2, steps=4000, timeout=TRIAL_SECONDS)
    with running(suite, output) as run:
        wait_until(lambda: list(output.glob("checkpoints/*/0*")), "a checkpoint is written", run)
        run.send_signal(signal.SIGTERM)
        printed, _ = run.communicate(timeout=WAIT_SECONDS)
    assert run.returncode == 75 and "paused by SIGTERM" in printed, printed
    assert "0 of 2 trials ended" in printed and "1 more are saved where they were" in printed
    wait_until(lambda: not {"RUNNING", "PENDING"} & set(states(slurm)), "the jobs have ended")
    assert states(slurm)[1] == "CANCELLED", "the second had not begun"
    assert not (output / "slurm").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("how", "is_requeued"), [("NODE_FAIL", False), ("PENDING", True)])
def test_the_trials_of_a_lost_job_go_on_from_their_checkpoints(slurm, tmp_path, how, is_requeued):
    output, gate = tmp_path / "out", tmp_path / "gate"
    executor = f"{{ {QUICK}, threads = 1 }}"
    suite = write_suite(tmp_path / "suite", executor, held(gate), seeds=1, steps=1000, timeout=TRIAL_SECONDS)
    with running(suite, output) as run:
        wait_until(lambda: list(output.glob("checkpoints/*/0*")), "a checkpoint is written", run)
        fake_slurm.end_task(fake_slurm.jobs(slurm)[0], 0, how)
        gate.touch()
        printed, _ = run.communicate(timeout=WAIT_SECONDS)
    assert run.returncode == 0 and "goes on after" in printed, printed
    assert ("ended as NODE_FAIL; it goes on in another" in printed) is not is_requeued
    assert len(fake_slurm.jobs(slurm)) == (1 if is_requeued else 2)
    inline = write_suite(tmp_path / "inline suite", '"inline"', held(gate), seeds=1, steps=1000, timeout=TRIAL_SECONDS)
    run_suite(inline, tmp_path / "inline")
    assert numbers(output) == numbers(tmp_path / "inline")


@pytest.mark.slow
def test_a_trial_whose_jobs_time_is_over_goes_on_in_another(slurm, tmp_path):
    output = tmp_path / "out"
    suite = write_suite(tmp_path / "suite", f"{{ {QUICK} }}", SLOW, seeds=1, steps=60, timeout=TRIAL_SECONDS)
    with running(suite, output) as run:
        wait_until(lambda: list(output.glob("checkpoints/*/0*")), "a checkpoint is written", run)
        fake_slurm.signal_task(fake_slurm.jobs(slurm)[0], 0, signal.SIGUSR1)
        printed, _ = run.communicate(timeout=WAIT_SECONDS)
    assert run.returncode == 0 and "goes on after" in printed, printed
    assert states(slurm) == ["COMPLETED", "COMPLETED"]


def test_a_job_that_a_user_cancels_pauses_the_run(slurm, tmp_path):
    output = tmp_path / "out"
    suite = write_suite(tmp_path / "suite", f"{{ {QUICK} }}", SLOW, seeds=1, steps=4000, timeout=TRIAL_SECONDS)
    with running(suite, output) as run:
        wait_until(lambda: list(output.glob("checkpoints/*/0*")), "a checkpoint is written", run)
        subprocess.run([slurm / "bin" / "scancel", fake_slurm.jobs(slurm)[0].name], check=True)
        printed, _ = run.communicate(timeout=WAIT_SECONDS)
    assert "paused by" in printed and stored(output) == 0, printed
    assert len(fake_slurm.jobs(slurm)) == 1, "what a user has cancelled is not submitted again"


def test_jobs_that_cannot_begin_say_why(slurm, tmp_path):
    executor = f'{{ {QUICK}, setup = ["echo no such module >&2; exit 1"] }}'
    suite = write_suite(tmp_path / "suite", executor, {"ok": '"hinge"'}, seeds=1)
    code, printed = run_suite(suite, tmp_path / "out")
    assert code == 1 and len(fake_slurm.jobs(slurm)) == 1, printed
    assert "ended as FAILED before it began; it said: no such module" in " ".join(printed.split())


def test_what_slurm_refuses_is_one_line_and_nothing_runs(slurm, tmp_path):
    executor = f'{{ {QUICK}, methods = {{ b = {{ partition = "gpu" }} }} }}'
    suite = write_suite(tmp_path / "suite", executor, {"a": '"hinge"', "b": '"hinge"'}, seeds=1)
    code, printed = run_suite(suite, tmp_path / "out")
    assert code == 2 and "executor 'slurm': sbatch: error: invalid partition specified: gpu" in printed, printed
    assert "Traceback" not in printed and not (tmp_path / "out" / "slurm").exists()
    wait_until(
        lambda: "RUNNING" not in states(slurm) and "PENDING" not in states(slurm), "what was accepted is cancelled"
    )


def test_a_suite_of_this_machine_without_slurm_is_refused(tmp_path, monkeypatch):
    suite = write_suite(tmp_path / "suite", '"slurm"', {"ok": '"hinge"'}, seeds=1)
    monkeypatch.setenv("PATH", "/nonexistent")
    code, printed = run_suite(suite, tmp_path / "out")
    assert code == 2 and "there is no 'sbatch' on this machine" in printed and "Traceback" not in printed
    assert not (tmp_path / "out").exists()
