"""What is decided of jobs that end early, are silent or wait, from what Slurm and their files say."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import replace

import pytest
import small_disks

import ganbench

pytest.importorskip("ganbench_slurm")

from ganbench_slurm import jobs, scheduler, worker
from ganbench_slurm.batch import Batch, BatchFacts
from ganbench_slurm.jobs import Jobs, JobSettings, Task
from ganbench_slurm.scheduler import FORGOTTEN, SlurmError, TaskState

SETTINGS = JobSettings((), "worker", None, 2, 1, heartbeat=10.0, silence=300.0, poll=1.0, grace=60.0)


class Followed:
    """A job of two trials that is followed, and what its run is told."""

    def __init__(self, trials, folder):
        self.results, self.notes, self.cancelled, self.states = folder, [], [], {}
        self.first, self.second = trials
        self.jobs = Jobs(SETTINGS, folder, trials, lambda method: {}, self.emit, is_kept=True)
        self.task = self.submit()

    def submit(self):
        ids = [self.first.id, self.second.id]
        batch = Batch.create(self.results / "slurm", BatchFacts("", 1, 10.0, 60.0, [ids]), [[self.first, self.second]])
        batch.set_job("17")
        self.jobs._waiting |= {trial.id: trial for trial in (self.first, self.second)}
        self.jobs._follow(batch, {0: ids})
        return self.jobs._tasks[-1]

    def emit(self, event):
        if isinstance(event, ganbench.TrialNote):
            self.notes.append(event.text)

    def begin(self, trial):
        self.task.log.append(ganbench.TrialStarted(trial))
        list(self.jobs._read(self.task))

    def end_as(self, state, reason="None"):
        """Let Slurm say that the job has ended; return the results that come of it."""
        self.task.state = TaskState(state, reason)
        return list(self.jobs._settle(self.task))

    def write_checkpoint(self, number):
        (self.results / "checkpoints" / self.first.id / f"{number:06d}").mkdir(parents=True)


@pytest.fixture
def followed(make_trial, tmp_path, monkeypatch):
    first = make_trial()
    checkpoints = ganbench.Checkpoints(str(tmp_path / "checkpoints" / "first"))
    trials = [replace(first, id="first", checkpoints=checkpoints), replace(first, id="second", seed=1)]
    job = Followed(trials, tmp_path)
    monkeypatch.setattr(scheduler, "read_states", lambda names: {"17": job.states})
    monkeypatch.setattr(scheduler, "cancel", lambda targets, only_pending=False: job.cancelled.extend(targets))
    return job


@pytest.mark.parametrize(
    ("state", "status"),
    [("FAILED", "error"), ("TIMEOUT", "timeout"), ("OUT_OF_MEMORY", "error"), ("NODE_FAIL", "error")],
)
def test_a_trial_is_given_up_when_its_third_job_ends_and_it_got_no_further(followed, state, status):
    for _ in range(2):
        followed.begin(followed.first)
        assert followed.end_as(state) == []
        assert list(followed.jobs._waiting) == ["first", "second"]
        followed.task = followed.submit()
    followed.begin(followed.first)
    (result,) = followed.end_as(state)
    assert (result.trial.id, result.status) == ("first", status)
    assert result.reason.startswith("3 of its jobs ended while it ran") and f"as {state}" in result.reason
    assert list(followed.jobs._waiting) == ["second"], "the other is not blamed"


def test_a_trial_that_gets_further_is_not_given_up(followed):
    for number in range(1, 6):
        followed.begin(followed.first)
        followed.write_checkpoint(number)
        assert followed.end_as("TIMEOUT") == []
        followed.task = followed.submit()


def test_a_job_that_slurm_has_forgotten_is_replaced_though_it_never_began(followed):
    followed.jobs._look()
    assert followed.task.state == FORGOTTEN and FORGOTTEN.has_ended
    assert list(followed.jobs._settle(followed.task)) == [] and len(followed.jobs._waiting) == 2


def test_a_job_that_fails_before_it_begins_is_not_tried_again(followed):
    (followed.task.batch.folder / "tasks" / "0.log").write_text("loading\nno such module\n")
    first, second = followed.end_as("FAILED")
    assert first.status is second.status is ganbench.Status.ERROR
    assert first.reason == "its job 17_0 ended as FAILED before it began; it said: no such module"


def test_nodes_that_cannot_write_the_folder_are_suspected_where_nothing_was_said(followed):
    result, _ = followed.end_as("FAILED")
    assert result.reason.endswith(f"can the compute nodes read and write {followed.task.batch.folder}?")


def test_a_job_that_could_not_store_a_result_ends_the_run_and_is_replaced_by_the_next(followed):
    followed.begin(followed.first)
    followed.task.batch.say_unstored(0, "the result of first cannot be stored")
    with pytest.raises(ganbench.StorageError, match="the result of first cannot be stored"):
        followed.end_as("FAILED")
    assert followed.end_as("FAILED") == [] and followed.jobs._waiting.keys() == {"first", "second"}


def test_a_job_that_could_not_store_a_result_before_a_run_joined_it_is_replaced(followed):
    followed.begin(followed.first)
    followed.task.batch.say_unstored(0, "the result of first cannot be stored")
    followed.jobs._tasks, followed.jobs._batches = [], []
    followed.jobs._waiting = {trial.id: trial for trial in (followed.first, followed.second)}
    followed.jobs._join(fresh=False)
    (followed.task,) = followed.jobs._tasks
    list(followed.jobs._read(followed.task))
    assert followed.end_as("FAILED") == [] and followed.jobs._waiting.keys() == {"first", "second"}


def test_a_job_says_that_it_lives_on_a_disk_that_has_filled(make_trial, tmp_path):
    """Others take whatever room there is in any moment, as that of a file that is emptied before it is written."""
    trial = make_trial()
    with small_disks.mount(tmp_path / "disk") as resize:
        batch = Batch.create(resize("96k"), BatchFacts("", 1, 10.0, 60.0, [[trial.id]]), [[trial]])
        batch.beat(0, 9)
        filling, over = small_disks.fill(batch.folder), threading.Event()

        def fill_up():
            with filling.open("ab", buffering=0) as file:
                while not over.is_set():
                    with contextlib.suppress(OSError):
                        file.write(b"x" * 4096)

        others = threading.Thread(target=fill_up)
        others.start()
        try:
            for count in range(10, 500):
                before = batch.last_beat(0)
                batch.beat(0, count)
                assert batch.last_beat(0) not in ("", before)
        finally:
            over.set()
            others.join()


@pytest.mark.parametrize("seconds", [-600, 600], ids=["10 minutes behind", "10 minutes ahead"])
def test_the_clock_of_a_node_says_nothing_of_whether_it_lives(followed, monkeypatch, seconds):
    monkeypatch.setattr(scheduler, "read_states", lambda jobs: {"17": {0: TaskState("RUNNING", "None")}})
    for count in range(3):
        followed.task.batch.beat(0, count)
        dated = time.time() + seconds
        os.utime(followed.task.batch.folder / "tasks" / "0.beat", (dated, dated))
        list(followed.jobs._read(followed.task))
        followed.jobs._look()
        assert followed.task.state.state == "RUNNING" and followed.cancelled == []


def test_a_cancelled_job_is_a_pause(followed):
    followed.begin(followed.first)
    assert {result.status for result in followed.end_as("CANCELLED")} == {ganbench.Status.PAUSED}
    assert not followed.jobs._waiting


def test_a_running_job_that_is_silent_for_too_long_is_given_up(followed):
    followed.task.batch.beat(0, 1)
    followed.begin(followed.first)
    followed.states = {0: TaskState("RUNNING", "None")}
    followed.jobs._look()
    assert followed.task.state.state == "RUNNING" and not followed.cancelled
    followed.task.moved -= SETTINGS.silence + 1
    followed.task.batch.beat(0, 2)
    list(followed.jobs._read(followed.task))
    followed.jobs._look()
    assert followed.task.state.state == "RUNNING", "it has beaten since"
    followed.task.moved -= SETTINGS.silence + 1
    followed.jobs._look()
    assert followed.cancelled == ["17_0"] and followed.task.state.has_ended
    assert list(followed.jobs._settle(followed.task)) == []
    assert "silent for 300 s" in followed.notes[-1] and len(followed.jobs._waiting) == 2


def test_a_job_that_waits_is_not_silent_and_an_unusual_reason_is_told_once(followed):
    followed.states = {0: TaskState("PENDING", "Priority")}
    followed.task.moved -= SETTINGS.silence + 1
    followed.jobs._look()
    assert not followed.cancelled and not followed.notes
    followed.states = {0: TaskState("PENDING", "BadConstraints")}
    followed.jobs._look()
    followed.jobs._look()
    assert followed.notes == ["its job 17_0 waits: BadConstraints"]


def test_a_slurm_that_does_not_answer_is_told_once_and_changes_nothing(followed, monkeypatch):
    def refuse(names):
        raise SlurmError("squeue: Unable to contact slurm controller")

    monkeypatch.setattr(scheduler, "read_states", refuse)
    followed.jobs._look()
    followed.jobs._look()
    assert followed.notes == ["Slurm does not answer for now: squeue: Unable to contact slurm controller"]
    assert followed.task.state is None


def test_a_result_is_passed_on_when_it_is_the_one_that_was_told_of(followed):
    old = ganbench.TrialResult(followed.first, ganbench.Status.ERROR, "of an earlier run")
    new = ganbench.TrialResult(followed.first, ganbench.Status.DONE, steps=60)
    staging = followed.task.batch.folder / "staging"
    ganbench.store_result(followed.results, old, staging)
    followed.begin(followed.first)
    followed.task.log.append(ganbench.TrialEnded(new))
    assert list(followed.jobs._read(followed.task)) == [], "the new one is not to be seen here yet"
    ganbench.store_result(followed.results, new, staging)
    (result,) = followed.jobs._read(followed.task)
    assert result.status is ganbench.Status.DONE and result.stored and result.trial is followed.first
    assert followed.task.batch.taken() == {"first"}


@pytest.mark.parametrize("is_alive", [True, False])
def test_a_batch_of_stored_trials_is_forgotten_when_its_job_has_ended(followed, is_alive):
    followed.states = {0: TaskState("RUNNING" if is_alive else "COMPLETED", "None")}
    Jobs(SETTINGS, followed.results, [], lambda method: {}, followed.emit, is_kept=True)._join(fresh=False)
    assert followed.task.batch.folder.exists() == is_alive


def test_a_fresh_run_cancels_the_jobs_of_an_earlier_one(followed):
    Jobs(SETTINGS, followed.results, [followed.first], lambda method: {}, followed.emit, is_kept=True)._join(fresh=True)
    assert followed.cancelled == ["17"] and not followed.task.batch.folder.exists()


def test_what_an_earlier_run_was_told_of_is_not_told_again(followed):
    followed.task.batch.take("first")
    joined = Jobs(
        SETTINGS, followed.results, [followed.first, followed.second], lambda method: {}, followed.emit, is_kept=True
    )
    joined._join(fresh=False)
    assert [list(task.left) for task in joined._tasks] == [["second"]] and list(joined._waiting) == ["first"]


def test_trials_with_the_same_resources_share_an_array(make_trial, tmp_path):
    base = make_trial()
    trials = [replace(base, id=f"{method}-{seed}", method=method, seed=seed) for seed in range(3) for method in "ab"]
    resources = {"a": {"mem": "1G"}, "b": {"mem": "2G"}}
    followed = Jobs(SETTINGS, tmp_path, trials, resources.__getitem__, lambda event: None, is_kept=True)
    tasks = [batch.facts.tasks for batch, _ in followed._make_batches()]
    assert tasks == [[["a-0", "a-1"], ["a-2"]], [["b-0", "b-1"], ["b-2"]]]


def test_an_array_is_no_longer_than_slurm_takes(make_trial, tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "MAX_TASKS", 2)
    trials = [replace(make_trial(), id=f"trial-{i}") for i in range(9)]
    followed = Jobs(SETTINGS, tmp_path, trials, lambda method: {}, lambda event: None, is_kept=True)
    assert [len(batch.facts.tasks) for batch, _ in followed._make_batches()] == [2, 2, 1]


def test_the_script_becomes_the_worker(followed):
    script = followed.jobs._script(followed.task.batch)
    assert script.splitlines()[-1] == f"exec worker {followed.task.batch.folder}"
    assert isinstance(followed.task, Task)


@pytest.mark.parametrize("names_the_file", [True, False])
def test_a_job_whose_heartbeat_cannot_be_written_says_so_in_one_line(make_trial, monkeypatch, tmp_path, names_the_file):
    trial = make_trial()
    facts = BatchFacts(str(tmp_path), 1, heartbeat=1.0, grace=1.0, tasks=[[trial.id]])
    batch = Batch.create(tmp_path / "slurm", facts, [[trial]])
    place = batch.folder
    if names_the_file:
        place = batch.folder / "tasks" / "0.beat"
        place.mkdir()
    else:

        def fail(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Batch, "beat", fail)
    monkeypatch.setattr("sys.argv", ["worker", str(batch.folder)])
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    with pytest.raises(SystemExit) as end:
        worker.main()
    assert str(end.value.code).startswith(f"ganbench: {place} cannot be read or written: ")
    assert "\n" not in str(end.value.code)
