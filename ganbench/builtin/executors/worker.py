"""A spawned process that runs trials within limits, as its parent sees it and as it sees itself."""

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

import ganbench

MAX_EXIT_SECONDS = 5.0  # between a worker's last word and its end
MAX_WAIT_SECONDS = 1.0  # before the workers are looked at again, though none has sent anything
MAX_READS = 64  # of a worker's output, before the others get their turn
READ_BYTES = 1 << 16
MAX_OUTPUT_BYTES = 4000  # of a trial's output that are kept
MAX_LINE_CHARS = 200  # of a trial's last line of output, in a reason
CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True)
class Limits:
    """What a worker may use: CPU threads, and bytes of memory or None."""

    threads: int
    memory: int | None


@dataclass(frozen=True)
class FinalResult:
    """A result whose trial left threads running, so that its worker must not get another trial."""

    result: ganbench.TrialResult


# --- the parent's side -------------------------------------------------------------------------------


class Worker:
    """A worker process and the trial that it runs; a dead process is replaced when the next trial is submitted.

    Attributes:
        trial: The trial that it runs; None when it is idle.
        pipe: Where trials are sent, and events and results received.
        output: Where what the process prints is read.
        process: The process.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.trial: ganbench.Trial | None = None
        self._started = False  # whether it has sent anything since the trial was submitted
        self._step, self._submitted = 0, time.monotonic()  # what is known of a trial whose process is lost
        self._deadline: float | None = None
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        # Each worker has pipes of its own: one that is killed while it sends a message does not damage another's.
        self.pipe, pipe_of_worker = context.Pipe()
        self.output, output_of_worker = context.Pipe(duplex=False)
        self._printed = b""
        self.process: BaseProcess = context.Process(
            target=_run_worker, args=(pipe_of_worker, output_of_worker, self.limits), daemon=True
        )
        self.process.start()
        pipe_of_worker.close()
        output_of_worker.close()

    def submit(self, trial: ganbench.Trial) -> None:
        """Send a trial to the process, and start its timeout."""
        if not self.process.is_alive():
            self.close()
            self._start()
        self.trial, self._started, self._printed = trial, False, b""
        self._step, self._submitted = 0, time.monotonic()
        timeout = trial.timeout if trial.timeout is not None and math.isfinite(trial.timeout) else None
        self._deadline = None if timeout is None else time.monotonic() + timeout
        with contextlib.suppress(OSError):  # it has just died: the next poll finds out
            self.pipe.send(trial)

    @property
    def time_left(self) -> float | None:
        """Seconds until the trial times out; None if it has no timeout."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def poll(self) -> Iterator[ganbench.Event | ganbench.TrialResult | ganbench.Trial]:
        """Yield the events that the process has sent, and the trial's result when it has ended, in whatever way.

        The trial itself is yielded instead of a result if the process died before it started the trial.
        """
        trial, lost = self.trial, None
        if trial is None:
            return
        self._read_output()
        for message in self._receive():
            if isinstance(message, str):
                lost = failed_result(trial, ganbench.Status.ERROR, message)
                break
            self._started = True
            if isinstance(message, ganbench.TrialProgress | ganbench.TrialResumed):
                self._step = message.step
            if isinstance(message, FinalResult | ganbench.TrialResult):
                self.trial = None
                yield self._accept(message)
            else:
                yield message
        if self.trial and lost is None and self.time_left == 0:
            lost = failed_result(trial, ganbench.Status.TIMEOUT, f"not done after {trial.timeout:g} s")
        if self.trial and lost is not None:
            self._kill()
            self.trial = None
            started = self._started or lost.status is ganbench.Status.TIMEOUT
            seconds = time.monotonic() - self._submitted
            lost = replace(lost, output=self._decode_output(), steps=self._step, seconds=seconds)
            yield lost if started else trial

    def pause(self) -> None:
        """Ask the process to save a checkpoint of its trial and to end."""
        self.process.terminate()  # its handler of SIGTERM does that

    def close(self) -> None:
        """End the process, whether it runs a trial or not."""
        self._kill()
        self.pipe.close()
        self.output.close()

    def _accept(self, message: FinalResult | ganbench.TrialResult) -> ganbench.TrialResult:
        result = message.result if isinstance(message, FinalResult) else message
        if isinstance(message, FinalResult) or result.status is ganbench.Status.ERROR:
            self._kill()  # the trial may have left its process in any state
        return replace(result, output=self._decode_output())

    def _receive(self) -> Iterator[ganbench.Event | ganbench.TrialResult | FinalResult | str]:
        """Yield the messages in the pipe; the last is a text that says why, if no more can come."""
        try:
            dead = not self.process.is_alive()  # asked first: all that it sent before its end is then in the pipe
            while self.trial and self.pipe.poll():
                yield self.pipe.recv()
            if self.trial and dead:  # without waiting for the pipe's end: a process that it forked may hold it open
                raise EOFError
        except (EOFError, OSError):
            self.process.join(MAX_EXIT_SECONDS)
            yield f"the worker died: {_describe_exit(self.process.exitcode)}{self._last_line()}"
        except Exception as error:  # of unpickling
            yield f"the worker's result cannot be read: {type(error).__name__}: {error}"

    def _read_output(self) -> None:
        """Read what was printed so far: a full pipe would block the worker."""
        with contextlib.suppress(OSError):
            for _ in range(MAX_READS):
                printed = os.read(self.output.fileno(), READ_BYTES) if self.output.poll() else b""
                if not printed:
                    break
                self._printed = (self._printed + printed)[-MAX_OUTPUT_BYTES:]

    def _decode_output(self) -> str:
        self._read_output()
        return self._printed.decode("utf-8", errors="replace")

    def _last_line(self) -> str:
        lines = self._decode_output().strip().splitlines()
        return f"; its last output: {lines[-1][:MAX_LINE_CHARS]}" if lines else ""

    def _kill(self) -> None:
        self.process.kill()  # SIGTERM would ask its trial to pause
        self.process.join()


def wait_ready(workers: Sequence[Worker]) -> list[Worker]:
    """Block until a worker has output, has exited or has timed out; return those.

    Return an empty list if none has within `MAX_WAIT_SECONDS`.
    """
    busy = [worker for worker in workers if worker.trial]
    times_left = [worker.time_left for worker in busy if worker.time_left is not None]
    readers = [worker.pipe for worker in busy] + [worker.output for worker in busy]
    ready = connection.wait(readers, min([*times_left, MAX_WAIT_SECONDS]))
    return [
        worker
        for worker in busy
        if worker.pipe in ready or worker.output in ready or worker.time_left == 0 or not worker.process.is_alive()
    ]


def failed_result(trial: ganbench.Trial, status: ganbench.Status, reason: str) -> ganbench.TrialResult:
    """Return the result of a trial that did not return one."""
    return ganbench.TrialResult(trial, status, reason, device=trial.device)


def machine_memory() -> int | None:
    """Return the bytes of memory of this machine, or of its container if that has less; None if it is not known."""
    try:
        limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    except (ValueError, OSError, AttributeError):
        return None
    for file in CGROUP_LIMITS:
        with contextlib.suppress(OSError, ValueError):  # there is no such file, or it says "max"
            limits.append(int(file.read_text()))
    return min(limits)


def _describe_exit(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"killed by {signal.Signals(-exitcode).name}"
    return f"exit code {exitcode}"


# --- the process's side ------------------------------------------------------------------------------


def _run_worker(pipe: Connection, output: Connection, limits: Limits) -> None:
    """Receive trials, send events and results, until the pipe closes or the parent exits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    preemption = _Preemption()
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    warnings.filterwarnings("ignore", message="plugin .* is left out")  # the parent has shown these
    warnings.filterwarnings("ignore", message="two plugins offer")
    _limit_memory(limits.memory)
    folder, environment = Path.cwd(), dict(os.environ)
    with contextlib.suppress(EOFError, OSError):
        while True:
            preemption.begin_waiting()
            trial: ganbench.Trial = pipe.recv()
            preemption.begin_trial()
            _print_into(output)
            os.chdir(folder)  # which the trial before may have changed, as well as the environment
            if os.environ != environment:
                os.environ.clear()
                os.environ.update(environment)
            threads = set(threading.enumerate())
            result = ganbench.run_trial(trial, pipe.send, limits.threads)
            _flush_output()
            _send_result(pipe, trial, FinalResult(result) if set(threading.enumerate()) - threads else result)
            if preemption.asked:
                return


class _Preemption:
    """Takes SIGTERM as a wish that the process end, after its trial has saved a checkpoint.

    Attributes:
        asked: Whether it came while a trial was running.
    """

    def __init__(self) -> None:
        self.asked = False
        self._pause = ganbench.pause_trials  # imported now, not in the handler

    def begin_waiting(self) -> None:
        """End the process at once from now on."""
        self._running = False
        signal.signal(signal.SIGTERM, self._handle)

    def begin_trial(self) -> None:
        """Pause the trial from now on."""
        self._running = True

    def _handle(self, *_: object) -> None:
        if not self._running:
            raise SystemExit(128 + signal.SIGTERM)
        self.asked = True
        self._pause()


def _limit_memory(limit: int | None) -> None:
    """Refuse this process more than `limit` bytes, and let the system kill it before others if memory runs out."""
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


def _print_into(pipe: Connection) -> None:
    """Redirect this process's standard streams into the pipe, whatever the trial before has done to them."""
    for number in (1, 2):
        os.dup2(pipe.fileno(), number)
    sys.stdout = sys.stderr = os.fdopen(os.dup(pipe.fileno()), "w", buffering=1, encoding="utf-8", errors="replace")


def _flush_output() -> None:
    with contextlib.suppress(ValueError, OSError):  # the trial has closed it
        sys.stdout.flush()


def _send_result(pipe: Connection, trial: ganbench.Trial, message: FinalResult | ganbench.TrialResult) -> None:
    try:
        pipe.send(message)
    except OSError:
        raise
    except Exception as error:  # of pickling
        reason = f"the result cannot be sent: {type(error).__name__}: {error}"
        pipe.send(failed_result(trial, ganbench.Status.ERROR, reason))


def _exit_with_parent() -> None:
    """Exit at once when the parent process has exited, in whatever way."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
