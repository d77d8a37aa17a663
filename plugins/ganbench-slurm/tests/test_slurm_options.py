"""Options of the executor, and what is said where something is wrong: one line, before anything runs."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import ganbench

pytest.importorskip("ganbench_slurm")

from ganbench_slurm import jobs, scheduler
from ganbench_slurm.batch import Batch, BatchFacts, read_batches
from ganbench_slurm.executor import Slurm
from ganbench_slurm.scheduler import SlurmError, TaskState


def build(**options):
    return ganbench.build_executor("slurm", **options)


def answer(monkeypatch, output="", code=0, error=""):
    """Let every command of Slurm answer this; return the commands that were called."""
    called = []

    def run(command, **_):
        called.append(command)
        return subprocess.CompletedProcess(command, code, output, error)

    monkeypatch.setattr(scheduler.subprocess, "run", run)
    return called


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"workers": 0}, "workers = 0: give a number above 0"),
        ({"trials_per_job": -1}, "trials_per_job = -1: give a number above 0"),
        ({"silence": 5.0}, "silence = 5: give at least three times the heartbeat of 10 s"),
        ({"sbatch": {"--mem": "1G"}}, "'--mem' is no long option of sbatch; give it without dashes"),
        ({"methods": {"a": {"array": "0-3"}}}, "'array' is set by ganbench itself"),
        ({"sbatch": {"mem": 1.5}}, "sbatch"),
        ({"partition": "gpu"}, "unknown key 'partition'"),
    ],
)
def test_wrong_options_are_refused_in_one_line(options, said):
    with pytest.raises(ganbench.RequestError, match=said) as raised:
        build(**options)
    assert "\n" not in str(raised.value)


def test_resources_of_a_method_are_the_common_ones_and_its_own():
    executor = Slurm(
        sbatch={"partition": "cpu", "mem": "4G", "exclusive": False},
        methods={"big*": {"partition": "gpu", "gpus": 2}, "big-2": {"gpus": 4, "exclusive": True}},
    )
    assert executor.resources("small") == {"partition": "cpu", "mem": "4G", "exclusive": False}
    assert jobs.sbatch_arguments(executor.resources("big-1")) == ["--partition=gpu", "--mem=4G", "--gpus=2"]
    assert jobs.sbatch_arguments(executor.resources("big-2")) == [
        "--partition=gpu", "--mem=4G", "--exclusive", "--gpus=4",
    ]  # fmt: skip


def test_a_machine_without_slurm_is_named_with_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        ganbench.RequestError, match="no 'sbatch' on this machine; run ganbench on a login node"
    ) as raised:
        Slurm().prepare(tmp_path, False)
    assert "slurm-client" in str(raised.value) and "\n" not in str(raised.value)


def test_a_folder_that_cannot_be_written_is_named(make_trial, monkeypatch, tmp_path):
    monkeypatch.setattr("ganbench_slurm.executor.missing_commands", list)
    (tmp_path / "slurm").write_text("a file")
    executor = Slurm()
    executor.prepare(tmp_path, False)
    with pytest.raises(ganbench.StorageError, match="slurm cannot be written: ") as raised:
        list(executor.run([make_trial()], lambda event: None))
    assert "\n" not in str(raised.value)


def test_what_sbatch_says_is_passed_on(monkeypatch):
    answer(monkeypatch, code=1, error="sbatch: error: invalid partition\nspecified: gpu\n")
    with pytest.raises(SlurmError, match=r"^sbatch: error: invalid partition specified: gpu$"):
        scheduler.submit(Path("job.sh"), [])
    answer(monkeypatch, output="Submitted\n")
    with pytest.raises(SlurmError, match="'Submitted' instead of the id"):
        scheduler.submit(Path("job.sh"), [])
    answer(monkeypatch, output="17;cluster\n")
    assert scheduler.submit(Path("job.sh"), []) == "17"


def test_states_are_read_as_squeue_prints_them(monkeypatch):
    printed = "17_0|RUNNING|None\n17_12|PENDING|Resources\n18_1|NODE_FAIL|NodeDown\n99_0|RUNNING|None\nrubbish\n"
    called = answer(monkeypatch, output=printed)
    states = scheduler.read_states(["17", "18"])
    assert states == {
        "17": {0: TaskState("RUNNING", "None"), 12: TaskState("PENDING", "Resources")},
        "18": {1: TaskState("NODE_FAIL", "NodeDown")},
    }
    assert [state.has_ended for state in (*states["17"].values(), *states["18"].values())] == [False, False, True]
    assert "--jobs=17,18" in called[0] and "sacct" not in str(called)


def test_a_job_that_slurm_has_forgotten_is_no_error_and_a_slurm_that_is_away_is_one(monkeypatch):
    answer(monkeypatch, code=1, error="slurm_load_jobs error: Invalid job id specified")
    assert scheduler.read_states(["17"]) == {"17": {}}
    answer(monkeypatch, code=1, error="slurm_load_jobs error: Unable to contact slurm controller")
    with pytest.raises(SlurmError, match="Unable to contact"):
        scheduler.read_states(["17"])


def test_a_job_does_not_hand_its_own_surroundings_to_the_jobs_that_it_submits(monkeypatch):
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "64")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm.conf")
    given = scheduler._environment()
    assert "SLURM_CPUS_PER_TASK" not in given and given["SLURM_CONF"] == "/etc/slurm.conf"


def test_a_batch_is_found_again_and_a_damaged_one_is_passed_over(make_trial, tmp_path):
    trial = make_trial()
    facts = BatchFacts(str(tmp_path), 1, 10.0, 60.0, [[trial.id]])
    batch = Batch.create(tmp_path / "slurm", facts, [[trial]])
    batch.set_job("17")
    for name, content in {"cut": "{", "empty": None}.items():
        (tmp_path / "slurm" / name).mkdir()
        if content:
            (tmp_path / "slurm" / name / "batch.json").write_text(content)
    (found,) = read_batches(tmp_path / "slurm")
    assert found.facts == replace(facts, job="17") and found.trials(0) == [trial]
    batch.take(trial.id)
    assert found.taken() == {trial.id}


def test_jobs_of_a_newer_version_are_not_run_a_second_time(tmp_path, monkeypatch):
    monkeypatch.setattr("ganbench_slurm.executor.missing_commands", list)
    (tmp_path / "slurm" / "abc").mkdir(parents=True)
    (tmp_path / "slurm" / "abc" / "batch.json").write_text('{"schema": 2, "jobs": []}')
    with pytest.raises(ganbench.RequestError, match=r"written by a newer ganbench-slurm .*scancel --name ganbench-abc"):
        Slurm().prepare(tmp_path, fresh=False)


def test_a_log_pattern_means_the_folder_whatever_its_name(tmp_path):
    batch = Batch(tmp_path / "50%a", BatchFacts("", 1, 1.0, 1.0, []))
    assert batch.log_pattern() == f"{tmp_path}/50%%a/tasks/%a.log"
