"""The same on a real Slurm of this host."""

from __future__ import annotations

import signal
import subprocess
import time

import pytest
from cluster_runs import numbers, run_suite, start_run, statuses, write_suite
from one_host_slurm import one_host_slurm

pytest.importorskip("ganbench_slurm")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

RUN_SECONDS = 900.0


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """The variables of a real Slurm."""
    with one_host_slurm(tmp_path_factory.mktemp("slurm")) as variables:
        yield variables


def squeue(variables, what="%T"):
    command = ["squeue", "--noheader", "--array", f"--format={what}"]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout.split()


def wait_until(condition, what, seconds=300.0):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"after {seconds:g} s not yet: {what}"
        time.sleep(0.2)


def test_forty_trials_of_which_some_raise_die_and_hang_are_rows_beside_those_of_inline(slurm, tmp_path):
    executor = '{ name = "slurm", trials_per_job = 8, threads = 1, poll = 0.5, sbatch = { time = "00:30:00" } }'
    failing = '{ name = "failing", raises = 10, dies = 10, hangs = 5 }'
    suite = write_suite(tmp_path / "suite", executor, {"mixed": failing}, seeds=40, timeout=60.0)
    code, printed = run_suite(suite, tmp_path / "out", timeout=RUN_SECONDS, **slurm)
    assert code == 1, printed
    ended = statuses(tmp_path / "out")
    assert len(ended) == 40 and set(ended.values()) >= {"done", "error"}
    inline = write_suite(tmp_path / "inline", '"inline"', {"mixed": '{ name = "failing" }'}, seeds=40, timeout=60.0)
    assert run_suite(inline, tmp_path / "inline out", timeout=RUN_SECONDS)[0] == 0
    scores = {
        row["seed"]: row for row in numbers(tmp_path / "inline out")["report/scores.csv"] if "covered" in row["metric"]
    }
    for row in numbers(tmp_path / "out")["report/scores.csv"]:
        if "covered" in row["metric"]:
            assert row["value"] == scores[row["seed"]]["value"]
    done = {name.split()[1] for name, status in ended.items() if status == "done"}
    assert {row["seed"] for row in numbers(tmp_path / "out")["report/scores.csv"]} == done


def test_a_run_is_left_joined_and_paused(slurm, tmp_path):
    output = tmp_path / "out"
    executor = '{ name = "slurm", workers = 1, poll = 0.5 }'
    slow = {"slow": '{ name = "slow", seconds = 1.0 }'}
    suite = write_suite(tmp_path / "suite", executor, slow, seeds=2, steps=60, timeout=600.0)
    run = start_run(suite, output, **slurm)
    wait_until(lambda: list(output.glob("checkpoints/*/0*")), "a checkpoint is written")
    run.send_signal(signal.SIGINT)
    printed, _ = run.communicate(timeout=60)
    assert run.returncode == 130 and "the jobs of this run go on" in printed, printed
    assert "RUNNING" in squeue(slurm)
    jobs = set(squeue(slurm, "%F"))
    run = start_run(suite, output, **slurm)
    time.sleep(10)
    assert set(squeue(slurm, "%F")) == jobs, "the same jobs"
    run.send_signal(signal.SIGTERM)
    printed, _ = run.communicate(timeout=60)
    assert run.returncode == 75 and "more are saved where they were" in printed, printed
    wait_until(lambda: not squeue(slurm), "no job is left")
    code, printed = run_suite(suite, output, "--only", "seed=0", timeout=RUN_SECONDS, **slurm)
    assert code == 0 and "goes on after" in printed, printed


def test_a_job_that_slurm_starts_again_goes_on_from_its_checkpoint(slurm, tmp_path):
    output = tmp_path / "out"
    slow = {"slow": '{ name = "slow", seconds = 1.0 }'}
    suite = write_suite(tmp_path / "suite", '{ name = "slurm", poll = 0.5 }', slow, seeds=1, steps=40, timeout=600.0)
    run = start_run(suite, output, **slurm)
    wait_until(lambda: list(output.glob("checkpoints/*/0*")), "a checkpoint is written")
    (job,) = set(squeue(slurm, "%A"))
    subprocess.run(["scontrol", "requeue", job], env=slurm, check=True)
    # A job that was requeued waits for two minutes before Slurm starts it again.
    printed, _ = run.communicate(timeout=RUN_SECONDS)
    assert run.returncode == 0 and "goes on after" in printed, printed
