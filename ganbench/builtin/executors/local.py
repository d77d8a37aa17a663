"""Run trials on this machine: in this process, or spread over worker processes."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import ganbench

from .worker import Limits, Worker, failed_result, machine_memory, wait_ready

MIN_MEMORY_SHARE = 2 * 2**30  # bytes; importing torch alone takes one GiB
WORKERS_ON_ACCELERATOR = 2  # enough to keep it busy; each one more takes a share of its memory


class Inline(ganbench.Executor):
    """One trial after the other in this process, for debugging: a trial that hangs or kills its process ends the run.

    Args:
        threads: CPU threads of a trial; torch's default if not given.
    """

    expected_failures = {"survives-a-trial-that-dies": "runs trials in the calling process"}

    def __init__(self, *, threads: int | None = None) -> None:
        self.threads = threads
        self._pausing = False

    def pause(self, seconds: float) -> None:
        """Begin no further trial; the running one has been asked with all trials of this process."""
        self._pausing = True

    def run(
        self, trials: Sequence[ganbench.Trial], emit: Callable[[ganbench.Event], None]
    ) -> Iterator[ganbench.TrialResult]:
        """Yield results in the order of `trials`; timeouts are not enforced."""
        self._pausing = False
        for trial in trials:
            if self._pausing:
                return
            yield ganbench.run_trial(trial, emit, self.threads)


class Processes(ganbench.Executor):
    """Trials in spawned worker processes that share the CPU's cores and memory, each trial with its timeout.

    A trial that kills its worker, hangs or wants too much memory ends in an error or a timeout; the others are not
    affected. What a trial prints is not part of the run's output: its end is stored as `output.txt` beside its result.

    Args:
        workers: Worker processes; one for each core by default, or two on an accelerator.
        threads: CPU threads of each worker; by default the cores divided by the workers.
        memory: What a worker may allocate, in GiB; an equal share of the machine's by default. It is not enforced on
            an accelerator or outside Linux.
    """

    def __init__(self, *, workers: int | None = None, threads: int | None = None, memory: float | None = None) -> None:
        for name, value in (("workers", workers), ("threads", threads), ("memory", memory)):
            if value is not None and value < 1:
                raise ganbench.RequestError(f"executor 'processes': {name} = {value}: give at least 1")
        self.workers = workers
        self.threads = threads
        self.memory = memory
        self._pause_seconds: float | None = None

    def pause(self, seconds: float) -> None:
        """Ask the workers to save a checkpoint and end, and kill those that have not after so many seconds."""
        self._pause_seconds = seconds

    def run(
        self, trials: Sequence[ganbench.Trial], emit: Callable[[ganbench.Event], None]
    ) -> Iterator[ganbench.TrialResult]:
        """Yield each result when its trial ends; workers end with the iterator, also if it is closed early."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        on_cpu = not trials or trials[0].device == "cpu"
        n_workers = self.workers or (cores if on_cpu else WORKERS_ON_ACCELERATOR)
        # From the workers asked for, not from the trials that are left: results depend on it in their last bits.
        threads = self.threads or max(1, cores // n_workers)
        waiting = deque(trials)
        returned: set[str] = set()  # ids of trials whose worker died before it started them
        n_started = min(n_workers, len(waiting))
        limits = Limits(threads, self._memory_limit(n_started) if on_cpu else None)
        workers = [Worker(limits) for _ in range(n_started)]
        self._pause_seconds, end = None, None
        try:
            while waiting or any(worker.trial for worker in workers):
                if self._pause_seconds is not None and end is None:
                    end = time.monotonic() + self._pause_seconds
                    waiting.clear()
                    for worker in workers:
                        worker.pause()
                if end is not None and time.monotonic() > end:
                    return
                for worker in workers:
                    if waiting and not worker.trial:
                        worker.submit(waiting.popleft())
                for worker in wait_ready(workers):
                    for message in worker.poll():
                        if isinstance(message, ganbench.TrialResult):
                            yield message
                        elif not isinstance(message, ganbench.Trial):
                            emit(message)
                        elif end is not None:
                            continue  # it was never started, and is not to be
                        elif message.id not in returned:  # its worker died idle, which is not the trial's fault
                            returned.add(message.id)
                            waiting.appendleft(message)
                        else:
                            yield failed_result(message, ganbench.Status.ERROR, "every worker died before it started")
        finally:
            for worker in workers:
                worker.close()

    def _memory_limit(self, workers: int) -> int | None:
        """Return how many bytes a worker may allocate; None for no limit."""
        if self.memory is not None:
            return int(self.memory * 2**30)
        total = machine_memory()
        if total is None or not workers:
            return None
        share = int(0.9 * total / workers)  # the rest is for this process and the system
        # Memory that is allocated but never used counts too, so a small share would stop healthy trials.
        return share if share >= MIN_MEMORY_SHARE else None
