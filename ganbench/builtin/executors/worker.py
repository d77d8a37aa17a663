"""A spawned process that carries trials out, seen from both of its ends."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import ganbench

from .memory import keep_to

GRACE = 5.0  # seconds between asking a worker to end and making it
LONGEST = 1.0  # seconds to wait without looking around
READS = 64  # of what is printed, before anything else gets its turn
KEPT = 4000  # bytes of what a trial prints


@dataclass(frozen=True)
class Terms:
    """What a worker may use: threads, and bytes of memory where there is a limit."""

    threads: int
    memory: int | None


@dataclass(frozen=True)
class Last:
    """A result whose trial left something running: its worker is not to be trusted with another."""

    result: ganbench.TrialResult


class Worker:
    """A process and what it is at: dead ones are replaced when the next trial comes."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.trial: ganbench.Trial | None = None
        self._taken = False
        self._deadline: float | None = None
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        # Pipes of its own: a worker killed in the middle of a message spoils no other's.
        self.pipe, theirs = context.Pipe()
        self.prints, printed = context.Pipe(duplex=False)
        self._said = b""
        self.process: BaseProcess = context.Process(target=_work, args=(theirs, printed, self.terms), daemon=True)
        self.process.start()
        theirs.close()
        printed.close()

    def give(self, trial: ganbench.Trial) -> None:
        """Hand a trial over."""
        if not self.process.is_alive():
            self.end()
            self._start()
        self.trial, self._taken, self._said = trial, False, b""
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
        trial, ended = self.trial, None
        if trial is None:
            return
        self._listen()
        for message in self._messages():
            if isinstance(message, str):
                ended = lost(trial, "error", message)
                break
            self._taken = True
            if isinstance(message, Last | ganbench.TrialResult):
                self.trial = None
                yield self._taken_in(message)
            else:
                yield message
        if self.trial and ended is None and self.patience == 0:
            ended = lost(trial, "timeout", f"not done after {trial.timeout:g} s")
        if self.trial and ended is not None:
            self._kill()
            self.trial = None
            yield replace(ended, output=self._heard()) if self._taken or ended.status == "timeout" else trial

    def _taken_in(self, message: Last | ganbench.TrialResult) -> ganbench.TrialResult:
        result = message.result if isinstance(message, Last) else message
        if isinstance(message, Last) or result.status == "error":
            self._kill()  # whatever it did to its process, the next trial gets another
        return replace(result, output=self._heard())

    def _messages(self) -> Iterator[Any]:
        """What is in the pipe; at the end a line, if nothing more will come."""
        try:
            dead = not self.process.is_alive()  # asked first: what it sent before its end is in the pipe
            while self.trial and self.pipe.poll():
                yield self.pipe.recv()
            if self.trial and dead:  # a process that it forked may hold the pipe open
                raise EOFError
        except (EOFError, OSError):
            self.process.join(GRACE)
            yield f"the worker died: {_cause(self.process.exitcode)}{self._last_words()}"
        except Exception as error:  # what it sent cannot be read here
            yield f"the worker's result cannot be read: {type(error).__name__}: {error}"

    def _listen(self) -> None:
        """Take what was printed so far out of the way, or the worker would wait for us to."""
        with contextlib.suppress(OSError):
            for _ in range(READS):
                heard = os.read(self.prints.fileno(), 1 << 16) if self.prints.poll() else b""
                if not heard:
                    break
                self._said = (self._said + heard)[-KEPT:]

    def _heard(self) -> str:
        self._listen()
        return self._said.decode("utf-8", errors="replace")

    def _last_words(self) -> str:
        lines = self._heard().strip().splitlines()
        return f"; it printed last: {lines[-1][:200]}" if lines else ""

    def end(self) -> None:
        """End the process, whatever it is at."""
        self._kill()
        self.pipe.close()
        self.prints.close()

    def _kill(self) -> None:
        self.process.terminate()
        self.process.join(GRACE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def stirring(crew: Sequence[Worker]) -> list[Worker]:
    """The workers that have something to say, are gone, or whose time is up: waits for one."""
    busy = [worker for worker in crew if worker.trial]
    patience = [worker.patience for worker in busy if worker.patience is not None]
    ears = [worker.pipe for worker in busy] + [worker.prints for worker in busy]
    heard = connection.wait(ears, min([*patience, LONGEST]))
    return [
        worker
        for worker in busy
        if worker.pipe in heard or worker.prints in heard or worker.patience == 0 or not worker.process.is_alive()
    ]


def lost(trial: ganbench.Trial, status: Any, reason: str) -> ganbench.TrialResult:
    """The result of a trial that has none."""
    return ganbench.TrialResult(trial, status, reason, device=trial.device)


def _cause(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"killed by {signal.Signals(-exitcode).name}"
    return f"exit code {exitcode}"


def _work(pipe: Connection, printed: Connection, terms: Terms) -> None:
    """A worker's life: trials in, progress and results out, until the pipe closes or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    threading.Thread(target=_outlive_nobody, daemon=True).start()
    warnings.filterwarnings("ignore", message="plugin .* is left out")  # the parent has said so
    warnings.filterwarnings("ignore", message="two plugins offer")
    keep_to(terms.memory)
    folder, environment = Path.cwd(), dict(os.environ)
    with contextlib.suppress(EOFError, OSError):
        while True:
            trial: ganbench.Trial = pipe.recv()
            _print_into(printed)
            os.chdir(folder)  # wherever the trial before has gone
            if os.environ != environment:
                os.environ.clear()
                os.environ.update(environment)
            threads = set(threading.enumerate())
            result = ganbench.run_trial(trial, pipe.send, terms.threads)
            _flush()
            _send(pipe, trial, Last(result) if set(threading.enumerate()) - threads else result)


def _print_into(pipe: Connection) -> None:
    """Let this process print into the pipe, whatever the trial before has done to its standard streams."""
    for number in (1, 2):
        os.dup2(pipe.fileno(), number)
    sys.stdout = sys.stderr = os.fdopen(os.dup(pipe.fileno()), "w", buffering=1, encoding="utf-8", errors="replace")


def _flush() -> None:
    with contextlib.suppress(ValueError, OSError):  # the trial has closed it
        sys.stdout.flush()


def _send(pipe: Connection, trial: ganbench.Trial, message: Last | ganbench.TrialResult) -> None:
    try:
        pipe.send(message)
    except OSError:
        raise
    except Exception as error:
        pipe.send(lost(trial, "error", f"the result cannot be sent: {type(error).__name__}: {error}"))


def _outlive_nobody() -> None:
    """End this process at once when its parent is gone, however that went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
