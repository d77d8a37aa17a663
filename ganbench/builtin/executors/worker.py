"""How much memory there is, and a worker kept to its share of it.

A spawned process that carries trials out, seen from both of its ends.
"""

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

CGROUP = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def machine_memory() -> int | None:
    """Bytes of memory of this machine, or of the container that it shows us; None where it does not say."""
    try:
        found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    except (ValueError, OSError, AttributeError):
        return None
    for file in CGROUP:
        with contextlib.suppress(OSError, ValueError):  # not there, or "max"
            found.append(int(file.read_text()))
    return min(found)


def keep_to(limit: int | None) -> None:
    """Refuse this process more than `limit` bytes, and have the system, where memory runs out, end it first."""
    if not sys.platform.startswith("linux"):
        return  # elsewhere the limit means something else, or nothing
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    if limit is None:
        return
    import resource

    # Of data, not of addresses: torch maps libraries far larger than what it uses.
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


GRACE_SECONDS = 5.0  # seconds between asking a worker to end and making it
MAX_REASON_CHARS = 1.0  # seconds to wait without looking around
READ_BYTES = 64  # of what is printed, before anything else gets its turn
KEPT_OUTPUT_CHARS = 4000  # bytes of what a trial prints


@dataclass(frozen=True)
class Limits:
    """What a worker may use: threads, and bytes of memory where there is a limit."""

    threads: int
    memory: int | None


@dataclass(frozen=True)
class FinalResult:
    """A result whose trial left something running: its worker is not to be trusted with another."""

    result: ganbench.TrialResult


class Worker:
    """A process and what it is at: dead ones are replaced when the next trial comes."""

    def __init__(self, terms: Limits) -> None:
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
                ended = failed_result(trial, "error", message)
                break
            self._taken = True
            if isinstance(message, FinalResult | ganbench.TrialResult):
                self.trial = None
                yield self._taken_in(message)
            else:
                yield message
        if self.trial and ended is None and self.patience == 0:
            ended = failed_result(trial, "timeout", f"not done after {trial.timeout:g} s")
        if self.trial and ended is not None:
            self._kill()
            self.trial = None
            yield replace(ended, output=self._heard()) if self._taken or ended.status == "timeout" else trial

    def _taken_in(self, message: FinalResult | ganbench.TrialResult) -> ganbench.TrialResult:
        result = message.result if isinstance(message, FinalResult) else message
        if isinstance(message, FinalResult) or result.status == "error":
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
            self.process.join(GRACE_SECONDS)
            yield f"the worker died: {_cause(self.process.exitcode)}{self._last_words()}"
        except Exception as error:  # what it sent cannot be read here
            yield f"the worker's result cannot be read: {type(error).__name__}: {error}"

    def _listen(self) -> None:
        """Take what was printed so far out of the way, or the worker would wait for us to."""
        with contextlib.suppress(OSError):
            for _ in range(READ_BYTES):
                heard = os.read(self.prints.fileno(), 1 << 16) if self.prints.poll() else b""
                if not heard:
                    break
                self._said = (self._said + heard)[-KEPT_OUTPUT_CHARS:]

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
        self.process.join(GRACE_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def wait_ready(crew: Sequence[Worker]) -> list[Worker]:
    """The workers that have something to say, are gone, or whose time is up: waits for one."""
    busy = [worker for worker in crew if worker.trial]
    patience = [worker.patience for worker in busy if worker.patience is not None]
    ears = [worker.pipe for worker in busy] + [worker.prints for worker in busy]
    heard = connection.wait(ears, min([*patience, MAX_REASON_CHARS]))
    return [
        worker
        for worker in busy
        if worker.pipe in heard or worker.prints in heard or worker.patience == 0 or not worker.process.is_alive()
    ]


def failed_result(trial: ganbench.Trial, status: Any, reason: str) -> ganbench.TrialResult:
    """The result of a trial that has none."""
    return ganbench.TrialResult(trial, status, reason, device=trial.device)


def _cause(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"killed by {signal.Signals(-exitcode).name}"
    return f"exit code {exitcode}"


def _work(pipe: Connection, printed: Connection, terms: Limits) -> None:
    """A worker's life: trials in, progress and results out, until the pipe closes or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    threading.Thread(target=_exit_with_parent, daemon=True).start()
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
            _send(pipe, trial, FinalResult(result) if set(threading.enumerate()) - threads else result)


def _print_into(pipe: Connection) -> None:
    """Let this process print into the pipe, whatever the trial before has done to its standard streams."""
    for number in (1, 2):
        os.dup2(pipe.fileno(), number)
    sys.stdout = sys.stderr = os.fdopen(os.dup(pipe.fileno()), "w", buffering=1, encoding="utf-8", errors="replace")


def _flush() -> None:
    with contextlib.suppress(ValueError, OSError):  # the trial has closed it
        sys.stdout.flush()


def _send(pipe: Connection, trial: ganbench.Trial, message: FinalResult | ganbench.TrialResult) -> None:
    try:
        pipe.send(message)
    except OSError:
        raise
    except Exception as error:
        pipe.send(failed_result(trial, "error", f"the result cannot be sent: {type(error).__name__}: {error}"))


def _exit_with_parent() -> None:
    """End this process at once when its parent is gone, however that went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
