"""The tasks of a run: submitted, followed through their files and by Ray, submitted again when their node is lost."""

from __future__ import annotations

import contextlib
import shutil
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import ray
import ray.exceptions
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

import ganbench

from .task import STOP, read_output, run_task

if TYPE_CHECKING:
    from .executor import Ray

MAX_AT_ONCE = 256  # tasks that are known to Ray; it starts as many as there is room for
MAX_LOSSES = 3  # of the node or the worker of a trial that gets no further
SETTLE_SECONDS = 30.0  # for a result to be seen on this machine after its task has ended
MAX_LINE_CHARS = 200


def _run_here(content: bytes, folder: str, results: str, working_folder: str, threads: int) -> None:
    run_task(content, folder, results, working_folder, threads, ray.get_runtime_context().get_node_id())


def _answer() -> bool:
    return True


@dataclass
class Task:
    """A trial that Ray has been given.

    Attributes:
        trial: The trial.
        log: Its events.
        began: When its begin was seen, by `time.monotonic`; None before.
        ended: How it said that it ended; None before.
        returned: When its task was seen to have ended; None before.
        crash: What Ray says of its worker's end, while it is asked whether the node still answers.
    """

    trial: ganbench.Trial
    log: ganbench.EventLog
    began: float | None = None
    ended: ganbench.TrialResult | None = None
    returned: float | None = None
    crash: str = ""


@dataclass
class Losses:
    """How often a trial's task was lost without its getting further, and its newest checkpoint the last time."""

    times: int = 0
    checkpoint: int = 0


@dataclass
class Tasks:
    """The tasks of one run.

    Args:
        executor: Whose options they follow.
        results: The results folder.
        emit: Is called with events.
        returns_arrays: Whether results come with history and weights, where the folder does not outlast the run.
    """

    executor: Ray
    results: Path
    emit: Callable[[ganbench.Event], None]
    returns_arrays: bool
    _waiting: deque[ganbench.Trial] = field(default_factory=deque)
    _running: dict[Any, Task] = field(default_factory=dict)  # by Ray's reference
    _probes: dict[Any, Task] = field(default_factory=dict)  # of nodes, by reference
    _returned: list[Task] = field(default_factory=list)
    _losses: dict[str, Losses] = field(default_factory=dict)

    def run(
        self, trials: Sequence[ganbench.Trial], pause_seconds: Callable[[], float | None]
    ) -> Iterator[ganbench.TrialResult]:
        """Yield each trial's result; `pause_seconds` returns the seconds left to pause in, once that is asked for."""
        root = self.results / "ray"
        shutil.rmtree(root, ignore_errors=True)  # of a run that was killed: its tasks have ended with it
        self._folder = root / uuid.uuid4().hex[:10]
        try:
            (self._folder / "staging").mkdir(parents=True)
        except OSError as error:
            raise ganbench.StorageError(
                f"executor 'ray': {root} cannot be written: {error.strerror}; make room there, and the same command does the rest"
            ) from error
        self._note_missing_resources(trials)
        self._waiting.extend(trials)
        end = None
        try:
            while self._waiting or self._running or self._probes or self._returned:
                if end is None and (seconds := pause_seconds()) is not None:
                    end = time.monotonic() + seconds
                    self._ask_to_stop()
                if end is not None and time.monotonic() > end:
                    break
                self._submit()
                references = [*self._running, *self._probes]
                ready, _ = ray.wait(references, num_returns=len(references), timeout=0) if references else ([], [])
                if references and not ready:
                    ready, _ = ray.wait(references, num_returns=1, timeout=self.executor.poll)
                elif not references:
                    time.sleep(self.executor.poll)
                for task in self._running.values():
                    self._read(task)
                for reference in ready:
                    yield from self._receive(reference, pausing=end is not None)
                yield from self._collect()
                yield from self._end_late()
        finally:
            for reference in [*self._running, *self._probes]:
                with contextlib.suppress(Exception):
                    ray.cancel(reference, force=True)
            shutil.rmtree(root, ignore_errors=True)

    def _submit(self) -> None:
        most = self.executor.workers or MAX_AT_ONCE
        while self._waiting and len(self._running) < most:
            trial = self._waiting.popleft()
            resources = self.executor.resources(trial.method)
            remote = ray.remote(**resources.options(), max_retries=0)(_run_here)
            reference = remote.remote(
                msgspec.json.encode(trial),
                str(self._folder),
                str(self.results),
                str(Path.cwd()),
                self.executor.threads or max(1, int(resources.cpus)),
            )
            log = ganbench.EventLog(self._folder / f"{trial.id}.events")
            log.read({})  # what an attempt before has written
            self._running[reference] = Task(trial, log)

    def _read(self, task: Task) -> None:
        """Pass on what a trial has written since the last time."""
        for event in task.log.read({task.trial.id: task.trial}):
            if isinstance(event, ganbench.TrialEnded):
                task.ended = event.result
                continue
            if isinstance(event, ganbench.TrialStarted):
                task.began = time.monotonic()
            self.emit(event)

    def _receive(self, reference: Any, pausing: bool) -> Iterator[ganbench.TrialResult]:
        """Take note that a task or a probe has ended."""
        if reference in self._probes:
            yield from self._hear(reference, pausing)
            return
        task = self._running.pop(reference)
        crash: Exception | None = None
        try:
            ray.get(reference)
        except ray.exceptions.TaskCancelledError:
            return  # of a run that pauses
        except Exception as error:  # RayError, and whatever the task raised
            crash = error
        self._read(task)
        task.returned = time.monotonic()
        if task.ended is not None or crash is None:
            self._returned.append(task)
        elif isinstance(crash, ray.exceptions.RayTaskError) and isinstance(crash.cause, ganbench.StorageError):
            raise ganbench.StorageError(str(crash.cause)) from crash  # the next trials would be trained for nothing
        elif isinstance(crash, ray.exceptions.RayTaskError):
            why = f"its task failed: {' '.join(str(crash.cause).split())[:500]}"
            yield self._failure(task.trial, ganbench.Status.ERROR, why)
        elif isinstance(crash, ray.exceptions.NodeDiedError):
            yield from self._lose(task, "its node is gone", pausing)
        else:
            task.crash = " ".join(str(crash).split())
            self._probe(task)

    def _probe(self, task: Task) -> None:
        """Ask whether a crashed trial's node answers: if not, the crash was not the trial's fault."""
        try:
            node = (self._folder / f"{task.trial.id}.node").read_text(encoding="utf-8")
        except OSError:
            node = ""
        strategy = NodeAffinitySchedulingStrategy(node, soft=False) if node else "DEFAULT"
        ask = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=strategy)(_answer)
        self._probes[ask.remote()] = task

    def _hear(self, reference: Any, pausing: bool) -> Iterator[ganbench.TrialResult]:
        task = self._probes.pop(reference)
        try:
            ray.get(reference)
        except Exception:  # whichever: it does not answer
            yield from self._lose(task, "its node is gone", pausing)
            return
        if task.began is None:
            yield from self._lose(task, f"its worker died before it began: {_first_sentence(task.crash)}", pausing)
            return
        lines = read_output(self._folder, task.trial.id).strip().splitlines()
        last = f"; its last output: {lines[-1][:MAX_LINE_CHARS]}" if lines else ""
        why = f"the worker died: {_first_sentence(task.crash)}{last}"
        yield self._failure(task.trial, ganbench.Status.ERROR, why)

    def _lose(self, task: Task, why: str, pausing: bool) -> Iterator[ganbench.TrialResult]:
        """Submit a trial again whose node or worker was lost, or give it up."""
        trial_id, checkpoint = task.trial.id, _newest_checkpoint(task.trial)
        losses = self._losses.setdefault(trial_id, Losses())
        losses.times = losses.times + 1 if checkpoint <= losses.checkpoint else 1
        losses.checkpoint = checkpoint
        if pausing:
            return
        if losses.times >= MAX_LOSSES:
            yield self._failure(task.trial, ganbench.Status.ERROR, f"{why}, {losses.times} times in a row")
            return
        self.emit(ganbench.TrialNote(trial_id, f"{why}; it goes on in another task"))
        self._waiting.appendleft(task.trial)

    def _collect(self) -> Iterator[ganbench.TrialResult]:
        """Yield the results of tasks that have ended, as soon as they are to be seen here."""
        for task in list(self._returned):
            told, result = task.ended, None
            if told is None:
                self._read(task)
            elif told.status is ganbench.Status.PAUSED:
                result = told
            else:
                stored = ganbench.read_stored(self.results, task.trial, arrays=self.returns_arrays)
                # It may be that of an earlier run still.
                if stored is not None and _ends_as(stored, told):
                    result = stored
            assert task.returned is not None
            if result is None and time.monotonic() - task.returned > SETTLE_SECONDS:
                why = f"its task ended, and its result is not in {self.results}: do the nodes share that folder?"
                result = self._failure(task.trial, ganbench.Status.ERROR, why)
            if result is not None:
                self._returned.remove(task)
                self._clean(task.trial)
                yield result

    def _end_late(self) -> Iterator[ganbench.TrialResult]:
        """End the tasks whose trials have had their time."""
        now = time.monotonic()
        for reference, task in list(self._running.items()):
            timeout = task.trial.timeout
            if timeout is None or task.began is None or task.ended is not None or now - task.began < timeout:
                continue
            del self._running[reference]
            with contextlib.suppress(Exception):
                ray.cancel(reference, force=True)
            yield self._failure(task.trial, ganbench.Status.TIMEOUT, f"not done after {timeout:g} s")

    def _failure(self, trial: ganbench.Trial, status: ganbench.Status, why: str) -> ganbench.TrialResult:
        output = read_output(self._folder, trial.id)
        self._clean(trial)
        return ganbench.TrialResult(trial, status, why, device=trial.device, output=output)

    def _clean(self, trial: ganbench.Trial) -> None:
        for suffix in ("events", "output", "node"):
            (self._folder / f"{trial.id}.{suffix}").unlink(missing_ok=True)

    def _ask_to_stop(self) -> None:
        """Ask the trials that have begun to pause, and take back the others."""
        self._waiting.clear()
        with contextlib.suppress(OSError):
            (self._folder / STOP).touch()
        for reference, task in list(self._running.items()):
            if task.began is None:
                with contextlib.suppress(Exception):
                    ray.cancel(reference, force=True)
                del self._running[reference]

    def _note_missing_resources(self, trials: Sequence[ganbench.Trial]) -> None:
        """Say once of each method that no node has what it takes: its trials wait until one does."""
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        first = {trial.method: trial for trial in reversed(trials)}
        for method, trial in first.items():
            needs = self.executor.resources(method).needs()
            if not any(all(node.get(name, 0) >= amount for name, amount in needs.items()) for node in nodes):
                wanted = ", ".join(f"{amount:g} {name}" for name, amount in needs.items())
                if self.executor.is_alone:
                    raise ganbench.RequestError(
                        f"executor 'ray': method {method!r} takes {wanted}, and this machine has less; ask for less, or "
                        "give the address of a cluster that has more"
                    )
                self.emit(
                    ganbench.TrialNote(trial.id, f"no node of the cluster has {wanted}; {method!r} waits for one")
                )


def _ends_as(result: ganbench.TrialResult, told: ganbench.TrialResult) -> bool:
    """Whether a stored result is the one whose end was told."""
    return (result.status, result.reason, result.steps) == (told.status, told.reason, told.steps)


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0][:MAX_LINE_CHARS]


def _newest_checkpoint(trial: ganbench.Trial) -> int:
    """The number of a trial's newest checkpoint; 0 if there is none."""
    if trial.checkpoints is None:
        return 0
    with contextlib.suppress(OSError):
        return max(
            (int(path.name) for path in Path(trial.checkpoints.folder).iterdir() if path.name.isdecimal()), default=0
        )
    return 0
