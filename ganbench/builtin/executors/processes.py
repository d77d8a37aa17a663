"""Trials spread over spawned worker processes, none of which can take another's result away."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import ganbench

from .worker import Limits, Worker, failed_result, machine_memory, wait_ready

LEAST_SHARE = 2 * 2**30  # bytes; importing torch alone takes one


class Processes(ganbench.Executor):
    """Trials in spawned worker processes, which share the processor's threads and memory, each trial with its timeout.

    `memory` is what a worker may allocate, in GiB: an equal share of the machine's where it is not given. A trial that
    wants more ends in an error. It is not kept on an accelerator or outside of Linux. What a trial prints is no part
    of the run's output: its end is kept as `output.txt` beside the trial's result.
    """

    def __init__(self, *, workers: int | None = None, threads: int | None = None, memory: float | None = None) -> None:
        for name, value, least in (("workers", workers, 1), ("threads", threads, 1), ("memory", memory, 1)):
            if value is not None and value < least:
                raise ganbench.RequestError(f"executor 'processes': {name} = {value}: give at least {least}")
        self.workers = workers
        self.threads = threads
        self.memory = memory

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
        started = min(workers, len(waiting))
        terms = Limits(threads, self._memory_each(started) if on_cpu else None)
        crew = [Worker(terms) for _ in range(started)]
        try:
            while waiting or any(worker.trial for worker in crew):
                for worker in crew:
                    if waiting and not worker.trial:
                        worker.give(waiting.popleft())
                for worker in wait_ready(crew):
                    for message in worker.attend():
                        if isinstance(message, ganbench.TrialResult):
                            yield message
                        elif not isinstance(message, ganbench.Trial):
                            emit(message)
                        elif message.id not in given_back:  # its worker died idle: that is not the trial's fault
                            given_back.add(message.id)
                            waiting.appendleft(message)
                        else:
                            yield failed_result(message, "error", "no worker lived to take it up")
        finally:
            for worker in crew:
                worker.end()

    def _memory_each(self, workers: int) -> int | None:
        """Bytes that a worker may allocate."""
        if self.memory is not None:
            return int(self.memory * 2**30)
        whole = machine_memory()
        if whole is None or not workers:
            return None
        share = int(0.9 * whole / workers)  # the rest is the run's own and the system's
        return share if share >= LEAST_SHARE else None  # what is mapped and never used counts too: healthy runs first
