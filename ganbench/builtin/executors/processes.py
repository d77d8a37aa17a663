"""Trials spread over spawned worker processes, none of which can take another's result away."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import ganbench

GRACE = 5.0  # seconds between asking a worker to end and making it


class Processes:
    """Trials in spawned worker processes, the processor's threads divided among them, each trial with its timeout."""

    def __init__(self, *, workers: int | None = None, threads: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise ganbench.RequestError(f"executor 'processes': workers = {workers}: give at least 1")
        self.workers = workers
        self.threads = threads

    def run(
        self, trials: Sequence[ganbench.Trial], emit: Callable[[ganbench.Event], None]
    ) -> Iterator[ganbench.TrialResult]:
        """Each trial once, as it ends; workers end with the iterator, also when it is closed early."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        # On an accelerator two keep it busy; more would cost it their share of memory.
        on_cpu = not trials or trials[0].device == "cpu"
        workers = self.workers or (cores if on_cpu else 2)
        # From the number asked for, not from what is left to do: results depend on it in their last bits.
        threads = self.threads or max(1, cores // workers)
        waiting = deque(trials)
        crew = [_Worker(threads) for _ in range(min(workers, len(waiting)))]
        try:
            while waiting or any(worker.trial for worker in crew):
                for worker in crew:
                    if waiting and not worker.trial:
                        worker.give(waiting.popleft())
                for worker in _stirring(crew):
                    yield from worker.attend(emit)
        finally:
            for worker in crew:
                worker.end()


class _Worker:
    """A process and what it is at: dead ones are replaced when the next trial comes."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.trial: ganbench.Trial | None = None
        self._deadline: float | None = None
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        # A pipe of its own: a worker killed in the middle of a message spoils no other's.
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(theirs, self.threads), daemon=True)
        self.process.start()
        theirs.close()

    def give(self, trial: ganbench.Trial) -> None:
        """Hand a trial over."""
        if not self.process.is_alive():
            self.end()
            self._start()
        self.trial = trial
        self._deadline = None if trial.timeout is None else time.monotonic() + trial.timeout
        with contextlib.suppress(OSError):  # it just died: the next look at it says so
            self.pipe.send(trial)

    @property
    def patience(self) -> float | None:
        """Seconds until the trial's time is up."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def attend(self, emit: Callable[[ganbench.Event], None]) -> Iterator[ganbench.TrialResult]:
        """Pass on what the worker sent; give its trial back if it ended, its time is up or the worker died."""
        trial = self.trial
        if trial is None:
            return
        try:
            while self.trial and self.pipe.poll():
                message = self.pipe.recv()
                if isinstance(message, ganbench.TrialResult):
                    self.trial = None
                    yield message
                else:
                    emit(message)
        except (EOFError, OSError):
            self.process.join(GRACE)
            self.trial = None
            yield _lost(trial, "error", f"the worker died: {_cause(self.process.exitcode)}")
        except Exception as error:  # what it sent cannot be read here
            self._kill()
            self.trial = None
            yield _lost(trial, "error", f"the worker's result cannot be read: {type(error).__name__}: {error}")
        if self.trial and self.patience == 0:
            self._kill()
            self.trial = None
            yield _lost(trial, "timeout", f"not done after {trial.timeout:g} s")

    def end(self) -> None:
        """End the process, whatever it is at."""
        self._kill()
        self.pipe.close()

    def _kill(self) -> None:
        self.process.terminate()
        self.process.join(GRACE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _stirring(crew: Sequence[_Worker]) -> list[_Worker]:
    """The workers that have something to say, are gone, or whose time is up: waits for one."""
    busy = [worker for worker in crew if worker.trial]
    patience = [worker.patience for worker in busy if worker.patience is not None]
    heard = connection.wait([worker.pipe for worker in busy], min(patience, default=None))
    return [worker for worker in busy if worker.pipe in heard or worker.patience == 0]


def _lost(trial: ganbench.Trial, status: Any, reason: str) -> ganbench.TrialResult:
    return ganbench.TrialResult(trial, status, reason, device=trial.device)


def _cause(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"killed by {signal.Signals(-exitcode).name}"
    return f"exit code {exitcode}"


def _work(pipe: Connection, threads: int) -> None:
    """A worker's life: trials in, progress and results out, until the pipe closes or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    threading.Thread(target=_outlive_nobody, daemon=True).start()
    warnings.filterwarnings("ignore", message="plugin .* is left out")  # the parent has said so
    with contextlib.suppress(EOFError, OSError):
        while True:
            trial: ganbench.Trial = pipe.recv()
            pipe.send(ganbench.run_trial(trial, pipe.send, threads))


def _outlive_nobody() -> None:
    """End this process at once when its parent is gone, however that went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
