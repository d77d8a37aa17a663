"""Trials spread over spawned worker processes, none of which can take another's result away."""

from __future__ import annotations

import contextlib
import math
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
LONGEST = 3600.0  # seconds to wait without looking around


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
        given_back: set[str] = set()
        crew = [_Worker(threads) for _ in range(min(workers, len(waiting)))]
        try:
            while waiting or any(worker.trial for worker in crew):
                for worker in crew:
                    if waiting and not worker.trial:
                        worker.give(waiting.popleft())
                for worker in _stirring(crew):
                    for message in worker.attend():
                        if isinstance(message, ganbench.TrialResult):
                            yield message
                        elif not isinstance(message, ganbench.Trial):
                            emit(message)
                        elif message.id not in given_back:  # its worker died idle: that is not the trial's fault
                            given_back.add(message.id)
                            waiting.appendleft(message)
                        else:
                            yield _lost(message, "error", "no worker lived to take it up")
        finally:
            for worker in crew:
                worker.end()


class _Worker:
    """A process and what it is at: dead ones are replaced when the next trial comes."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.trial: ganbench.Trial | None = None
        self._taken = False
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
        self.trial, self._taken = trial, False
        timeout = trial.timeout if trial.timeout is not None and math.isfinite(trial.timeout) else None
        self._deadline = None if timeout is None else time.monotonic() + timeout
        with contextlib.suppress(OSError):  # it just died: the next look at it says so
            self.pipe.send(trial)

    @property
    def patience(self) -> float | None:
        """Seconds until the trial's time is up."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def attend(self) -> Iterator[ganbench.Event | ganbench.TrialResult | ganbench.Trial]:
        """What the worker sent; a result for its trial too, if its time is up or the worker died.

        The trial itself comes back where the worker died before it took it up.
        """
        trial, lost = self.trial, None
        if trial is None:
            return
        for message in self._messages():
            if isinstance(message, str):
                lost = _lost(trial, "error", message)
                break
            self._taken = True
            if isinstance(message, ganbench.TrialResult):
                self.trial = None
                if message.status == "error":  # whatever it did to its process, the next trial gets another
                    self._kill()
            yield message
        if self.trial and lost is None and self.patience == 0:
            lost = _lost(trial, "timeout", f"not done after {trial.timeout:g} s")
        if self.trial and lost is not None:
            self._kill()
            self.trial = None
            yield lost if self._taken or lost.status == "timeout" else trial

    def _messages(self) -> Iterator[Any]:
        """What is in the pipe; at the end a line, if nothing more will come."""
        try:
            while self.trial and self.pipe.poll():
                yield self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(GRACE)
            yield f"the worker died: {_cause(self.process.exitcode)}"
        except Exception as error:  # what it sent cannot be read here
            yield f"the worker's result cannot be read: {type(error).__name__}: {error}"

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
    patience = [min(worker.patience, LONGEST) for worker in busy if worker.patience is not None]
    heard = connection.wait([worker.pipe for worker in busy], min(patience, default=LONGEST))
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
            _send(pipe, trial, ganbench.run_trial(trial, pipe.send, threads))


def _send(pipe: Connection, trial: ganbench.Trial, result: ganbench.TrialResult) -> None:
    try:
        pipe.send(result)
    except OSError:
        raise
    except Exception as error:
        pipe.send(_lost(trial, "error", f"the result cannot be sent: {type(error).__name__}: {error}"))


def _outlive_nobody() -> None:
    """End this process at once when its parent is gone, however that went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
