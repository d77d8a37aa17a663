"""The jobs of a run: submitted, joined, followed through their files and squeue, replaced when they are lost."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import ganbench

from . import scheduler
from .batch import FOLDER, Batch, BatchFacts, Losses, read_batches
from .scheduler import FORGOTTEN, USUAL_WAITS, SlurmError, TaskState

Resources = dict[str, str | int | bool]
Emit = Callable[[ganbench.Event], None]

MAX_TASKS = 1000  # of an array: Slurm's own limit is 1001 by default
MAX_LOSSES = 3  # of a trial's jobs while it runs and gets no further
POLLS_PER_LOOK = 10  # at the files, for one at Slurm's queue, which many users ask
POLLS_TO_SETTLE = 5  # after a job has ended, for what it wrote last to be seen on this machine
RETRY_SECONDS = 30.0  # between attempts to submit, once a run is under way
MAX_RETRIES = 20
BLAMELESS = frozenset("BOOT_FAIL NODE_FAIL PREEMPTED FORGOTTEN".split())  # noqa: SIM905  (ends that no trial causes)


@dataclass(frozen=True)
class JobSettings:
    """What the executor's options say of its jobs; see `Slurm`. `command` runs the worker."""

    setup: tuple[str, ...]
    command: str
    workers: int | None
    trials_per_job: int
    threads: int | None
    heartbeat: float
    silence: float
    poll: float
    grace: float


@dataclass
class Task:
    """A task of a batch, as far as this run waits for its trials.

    Attributes:
        batch: Its batch.
        index: Its index.
        left: Its trials whose end has not been passed on, by id.
        log: Its events.
        running: Those of them that have begun and not ended.
        paused: The results of those that have been paused.
        ended: The trials that have ended, and whose results are being waited for.
        state: What Slurm said last; None if it has not said anything.
        beat: Its last heartbeat; empty if it has had none.
        moved: When that was seen to change, by `time.monotonic`.
        quiet_polls: Polls since its job was seen to have ended.
    """

    batch: Batch
    index: int
    left: dict[str, ganbench.Trial]
    log: ganbench.EventLog
    running: set[str] = field(default_factory=set)
    paused: dict[str, ganbench.TrialResult] = field(default_factory=dict)
    ended: dict[str, ganbench.TrialResult] = field(default_factory=dict)
    state: TaskState | None = None
    beat: str = ""
    moved: float = field(default_factory=time.monotonic)
    quiet_polls: int = 0
    has_begun: bool = False

    @property
    def name(self) -> str:
        """What Slurm calls it."""
        return f"{self.batch.facts.job}_{self.index}"


class Jobs:
    """The jobs of one run.

    Args:
        settings: What they are like.
        results: The results folder.
        trials: What to run.
        resources: Returns the options of sbatch for a method.
        emit: Is called with events.
        is_kept: Whether a later run can join jobs that are left running.
    """

    def __init__(
        self,
        settings: JobSettings,
        results: Path,
        trials: Sequence[ganbench.Trial],
        resources: Callable[[str], Resources],
        emit: Emit,
        is_kept: bool,
    ) -> None:
        self._settings, self._results, self._resources, self._emit = settings, results, resources, emit
        self._is_kept = is_kept
        self._root = results / FOLDER
        self._waiting = {trial.id: trial for trial in trials}  # in no job
        self._losses: dict[str, Losses] = {}
        self._tasks: list[Task] = []
        self._batches: list[Batch] = []  # with tasks that are waited for
        self._noted: set[str] = set()
        self._retries, self._next_attempt = 0, 0.0

    def run(self, fresh: bool, pause_seconds: Callable[[], float | None]) -> Iterator[ganbench.TrialResult]:
        """Yield each trial's result.

        Args:
            fresh: Whether jobs of an earlier run are cancelled instead of joined.
            pause_seconds: Returns the seconds that are left to pause in, once that is asked for.
        """
        end, polls, is_done = None, 0, False
        try:
            self._join(fresh)
            self._submit_first()
            while self._tasks or self._waiting:
                if end is None and (seconds := pause_seconds()) is not None:
                    end = time.monotonic() + seconds
                    self._ask_to_stop()
                for task in self._tasks:
                    yield from self._read(task)
                if end is None and polls % POLLS_PER_LOOK == POLLS_PER_LOOK - 1:
                    self._look()
                for task in self._tasks:
                    if task.state is not None and task.state.has_ended:
                        task.quiet_polls += 1
                        if task.quiet_polls > POLLS_TO_SETTLE:
                            yield from self._settle(task)
                self._forget_finished()
                if end is not None:
                    if time.monotonic() > end or not any(task.running for task in self._tasks):
                        break
                elif self._waiting and time.monotonic() >= self._next_attempt:
                    yield from self._submit_again()
                polls += 1
                if self._tasks or self._waiting:
                    time.sleep(self._settings.poll)
            for task in self._tasks:  # of a run that pauses: the others have none left
                for result in list(task.paused.values()):
                    yield from self._pass_on(task, result)
            is_done = True
        finally:
            self._close(cancels=end is not None or not (is_done or self._is_kept))

    # --- submitting and joining ----------------------------------------------------------------------

    def _join(self, fresh: bool) -> None:
        """Follow the batches that an earlier run has left, or cancel them."""
        for batch in read_batches(self._root):
            job = batch.facts.job
            if not job:  # its run was killed as it submitted
                with contextlib.suppress(SlurmError):
                    job = scheduler.find_job(batch.name) or ""
                if not job:
                    batch.remove()
                    continue
                batch.set_job(job)
            if fresh:
                with contextlib.suppress(SlurmError):
                    scheduler.cancel([job])
                batch.remove()
                continue
            for index in range(len(batch.facts.tasks)):
                batch.take_unstored(index)  # of before: there may be room now
            taken = batch.taken()
            self._follow(batch, {i: [t for t in ids if t not in taken] for i, ids in enumerate(batch.facts.tasks)})
            self._losses |= batch.facts.losses
            if batch not in self._batches and not _is_alive(job):  # its trials are stored, or of no interest now
                batch.remove()

    def _follow(self, batch: Batch, tasks: Mapping[int, Sequence[str]]) -> None:
        """Wait for those of a batch's trials that are to be run."""
        for index, ids in tasks.items():
            left = {trial_id: self._waiting.pop(trial_id) for trial_id in ids if trial_id in self._waiting}
            if left:
                self._tasks.append(Task(batch, index, left, batch.events(index)))
        if any(task.batch is batch for task in self._tasks):
            self._batches.append(batch)

    def _submit_first(self) -> None:
        """Submit what is in no job. If Slurm refuses or the disk is full, cancel what it has taken, and raise an error."""
        submitted: list[Batch] = []
        try:
            for batch, tasks in self._make_batches():
                self._submit(batch, tasks)
                submitted.append(batch)
        except (SlurmError, OSError) as error:
            for batch in submitted:
                with contextlib.suppress(SlurmError):
                    scheduler.cancel([batch.facts.job])
                batch.remove()
            self._tasks = [task for task in self._tasks if task.batch not in submitted]
            if isinstance(error, OSError):
                raise ganbench.StorageError(_explain_unwritable(self._root, error)) from error
            raise ganbench.RequestError(f"executor 'slurm': {error}") from error

    def _submit_again(self) -> Iterator[ganbench.TrialResult]:
        """Submit trials whose job was lost; Slurm may be out of reach for a while."""
        try:
            for batch, tasks in self._make_batches():
                self._submit(batch, tasks)
            self._retries = 0
        except (SlurmError, OSError) as error:
            self._retries += 1
            self._next_attempt = time.monotonic() + RETRY_SECONDS
            self._note(self._some_trial(), f"it cannot be submitted for now: {error}")
            if self._retries > MAX_RETRIES and isinstance(error, OSError):
                raise ganbench.StorageError(_explain_unwritable(self._root, error)) from error
            if self._retries > MAX_RETRIES:
                for trial in self._waiting.values():
                    yield _failure(trial, ganbench.Status.ERROR, f"it cannot be submitted: {error}")
                self._waiting = {}

    def _make_batches(self) -> Iterator[tuple[Batch, list[list[ganbench.Trial]]]]:
        """Yield the batches that the waiting trials need: trials with the same resources share arrays."""
        groups: dict[str, list[ganbench.Trial]] = defaultdict(list)
        for trial in self._waiting.values():
            groups[shlex.join(sbatch_arguments(self._resources(trial.method)))].append(trial)
        settings, size = self._settings, self._settings.trials_per_job
        for trials in groups.values():
            tasks = [trials[start : start + size] for start in range(0, len(trials), size)]
            for start in range(0, len(tasks), MAX_TASKS):
                part = tasks[start : start + MAX_TASKS]
                ids = [[trial.id for trial in task] for task in part]
                facts = BatchFacts(
                    results=str(self._results),
                    threads=settings.threads,
                    heartbeat=settings.heartbeat,
                    grace=settings.grace,
                    tasks=ids,
                    losses={i: self._losses[i] for task in ids for i in task if i in self._losses},
                )
                yield Batch.create(self._root, facts, part), part

    def _submit(self, batch: Batch, tasks: Sequence[Sequence[ganbench.Trial]]) -> None:
        """Submit a batch and follow it; its folder is removed if that fails."""
        settings = self._settings
        limit = f"%{settings.workers}" if settings.workers else ""
        options = [
            f"--job-name={batch.name}",
            f"--array=0-{len(tasks) - 1}{limit}",
            f"--output={batch.log_pattern()}",
            "--open-mode=append",
            "--requeue",
            f"--signal=B:USR1@{max(1, round(settings.grace))}",
            f"--chdir={Path.cwd()}",
            *sbatch_arguments(self._resources(tasks[0][0].method)),  # the same for all
        ]
        try:
            script = ganbench.write_atomically(batch.folder / "job.sh", self._script(batch))
            batch.set_job(scheduler.submit(script, options))
        except BaseException:
            batch.remove()
            raise
        self._follow(batch, dict(enumerate(batch.facts.tasks)))

    def _script(self, batch: Batch) -> str:
        # The shell ignores the signal until the worker, which it becomes, handles it.
        lines = ["#!/bin/bash", "trap '' USR1", *self._settings.setup]
        return "\n".join([*lines, f"exec {self._settings.command} {shlex.quote(str(batch.folder))}", ""])

    # --- following -----------------------------------------------------------------------------------

    def _read(self, task: Task) -> Iterator[ganbench.TrialResult]:
        """Pass on what has been written of a task since the last time."""
        if (beat := task.batch.last_beat(task.index)) != task.beat:
            task.beat, task.moved, task.has_begun = beat, time.monotonic(), True
        for event in task.log.read(task.left):
            task.has_begun = True
            if isinstance(event, ganbench.TrialEnded):
                result = event.result
                task.running.discard(result.trial.id)
                (task.paused if result.status is ganbench.Status.PAUSED else task.ended)[result.trial.id] = result
                continue
            if isinstance(event, ganbench.TrialStarted):
                task.running.add(event.trial.id)
                task.paused.pop(event.trial.id, None)
            self._emit(event)
        for trial_id in list(task.ended):
            trial = task.left[trial_id]
            result = ganbench.read_stored(self._results, trial, arrays=not self._is_kept)
            # Until it is to be seen on this machine there may be none, or that of an earlier run.
            if result is not None and _ends_as(result, task.ended[trial_id]):
                yield from self._pass_on(task, result)

    def _pass_on(self, task: Task, result: ganbench.TrialResult) -> Iterator[ganbench.TrialResult]:
        trial_id = result.trial.id
        for known in (task.left, task.ended, task.paused):
            known.pop(trial_id, None)
        task.running.discard(trial_id)
        yield result
        with contextlib.suppress(OSError):  # the run that joins would be told once more
            task.batch.take(trial_id)

    def _look(self) -> None:
        """Ask Slurm for the state of every task, and give up those that have been silent for too long."""
        try:
            states = scheduler.read_states({batch.facts.job for batch in self._batches})
        except SlurmError as error:
            self._note(self._some_trial(), f"Slurm does not answer for now: {error}")
            return
        for task in self._tasks:
            if task.state is not None and task.state.has_ended and task.quiet_polls:
                continue
            task.state = states[task.batch.facts.job].get(task.index, FORGOTTEN)
            if task.state.state != "RUNNING":
                task.moved = time.monotonic()
            elif time.monotonic() - task.moved > self._settings.silence:
                with contextlib.suppress(SlurmError):
                    scheduler.cancel([task.name])
                task.state = TaskState("NODE_FAIL", f"silent for {self._settings.silence:g} s")
            if task.state.state == "PENDING" and task.state.reason.split(",")[0] not in USUAL_WAITS and task.left:
                self._note(next(iter(task.left)), f"its job {task.name} waits: {task.state.reason}")

    def _settle(self, task: Task) -> Iterator[ganbench.TrialResult]:
        """Decide on the trials of a job that has ended without finishing them.

        Raises StorageError if it could not store a result: in another job it would be trained again for nothing.
        """
        assert task.state is not None
        if task.left and (unstored := task.batch.take_unstored(task.index)):
            raise ganbench.StorageError(unstored)
        for trial in list(task.left.values()):
            if trial.id in task.ended:
                why = f"its job {task.name} said that it ended, and its result is not in {self._results}"
                yield from self._pass_on(task, _failure(trial, ganbench.Status.ERROR, why))
            elif task.state.state == "CANCELLED":
                paused = ganbench.TrialResult(trial, ganbench.Status.PAUSED, f"its job {task.name} was cancelled")
                yield from self._pass_on(task, task.paused.get(trial.id, paused))
            elif not task.has_begun and task.state.state not in BLAMELESS:
                yield from self._pass_on(task, _failure(trial, ganbench.Status.ERROR, self._why_not_begun(task)))
            elif (failure := self._lose(task, trial)) is not None:
                yield from self._pass_on(task, failure)
            else:
                self._waiting[trial.id] = task.left.pop(trial.id)
        task.running.clear()

    def _lose(self, task: Task, trial: ganbench.Trial) -> ganbench.TrialResult | None:
        """Count the loss of a trial's job; return its result if it is not tried again."""
        assert task.state is not None
        was_running = trial.id in task.running or trial.id in task.paused or not task.has_begun
        if not was_running:
            return None
        before, checkpoint = self._losses.get(trial.id, Losses()), _newest_checkpoint(trial)
        times = before.times + 1 if checkpoint <= before.checkpoint else 1
        self._losses[trial.id] = Losses(times, checkpoint)
        end = task.state.state + (f" ({task.state.reason})" if task.state.reason not in ("None", "") else "")
        if times < MAX_LOSSES:
            self._emit(ganbench.TrialNote(trial.id, f"its job {task.name} ended as {end}; it goes on in another"))
            return None
        status = ganbench.Status.TIMEOUT if task.state.state == "TIMEOUT" else ganbench.Status.ERROR
        said = f"; it said: {line}" if (line := task.batch.last_line(task.index)) else ""
        why = f"{times} of its jobs ended while it ran, and it got no further; the last, {task.name}, as {end}{said}"
        return _failure(trial, status, why)

    def _why_not_begun(self, task: Task) -> str:
        assert task.state is not None
        said = task.batch.last_line(task.index)
        why = f"it said: {said}" if said else f"can the compute nodes read and write {task.batch.folder}?"
        return f"its job {task.name} ended as {task.state.state} before it began; {why}"

    def _forget_finished(self) -> None:
        """Drop tasks without trials left, and batches without tasks."""
        self._tasks = [task for task in self._tasks if task.left]
        used = {task.batch.folder for task in self._tasks}
        for batch in self._batches:
            if batch.folder not in used:
                batch.remove()
        self._batches = [batch for batch in self._batches if batch.folder in used]

    def _some_trial(self) -> str:
        """The id of a trial that has not ended, for what concerns all of them."""
        return next(
            (trial_id for known in (self._waiting, *(task.left for task in self._tasks)) for trial_id in known), ""
        )

    def _note(self, trial_id: str, text: str) -> None:
        """Tell the user, once."""
        if text not in self._noted:
            self._noted.add(text)
            self._emit(ganbench.TrialNote(trial_id, text))

    # --- ending --------------------------------------------------------------------------------------

    def _ask_to_stop(self) -> None:
        """Ask running jobs to end with a checkpoint, and cancel those that wait."""
        self._waiting = {}
        for batch in self._batches:
            with contextlib.suppress(OSError):
                batch.ask_to_stop()
        with contextlib.suppress(SlurmError):
            scheduler.cancel((batch.facts.job for batch in self._batches), only_pending=True)

    def _close(self, cancels: bool) -> None:
        """Cancel the jobs that are left, or leave them to a run that joins them."""
        if not self._batches:
            return
        jobs = [batch.facts.job for batch in self._batches]
        if cancels:
            with contextlib.suppress(SlurmError):
                scheduler.cancel(jobs)
            for batch in self._batches:
                batch.remove()
        elif self._tasks:
            end = f"'scancel {' '.join(jobs)}' ends them"
            self._note(self._some_trial(), f"the jobs of this run go on; the same command joins them, {end}")


def sbatch_arguments(resources: Mapping[str, str | int | bool]) -> list[str]:
    """Return options of sbatch as on its command line; `false` leaves one out, `true` gives it without a value."""
    return [
        f"--{name}" if value is True else f"--{name}={value}" for name, value in resources.items() if value is not False
    ]


def _explain_unwritable(folder: Path, error: OSError) -> str:
    return (
        f"executor 'slurm': the folder {folder} cannot be written: {error.strerror or error}; make room there, and the same "
        "command does the rest"
    )


def _is_alive(job: str) -> bool:
    """Whether a task of a job waits or runs, as far as Slurm can be asked."""
    try:
        return any(not state.has_ended for state in scheduler.read_states([job])[job].values())
    except SlurmError:
        return True


def _failure(trial: ganbench.Trial, status: ganbench.Status, reason: str) -> ganbench.TrialResult:
    return ganbench.TrialResult(trial, status, reason, device=trial.device)


def _ends_as(result: ganbench.TrialResult, told: ganbench.TrialResult) -> bool:
    """Whether a stored result is the one whose end was told."""
    return (result.status, result.reason, result.steps) == (told.status, told.reason, told.steps)


def _newest_checkpoint(trial: ganbench.Trial) -> int:
    """The number of a trial's newest checkpoint; 0 if there is none."""
    if trial.checkpoints is None:
        return 0
    try:
        return max(
            (int(path.name) for path in Path(trial.checkpoints.folder).iterdir() if path.name.isdecimal()), default=0
        )
    except OSError:
        return 0
