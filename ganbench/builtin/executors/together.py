"""Run trials side by side on one GPU: in one process, a thread and a stream each."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import ganbench

TURN_STEPS = 10  # of a trial, before the next has its turn
MEASURED_STEPS = 100  # after which it is known what memory a trial takes: its steps are captured by then
SPARE = 1.25  # times what a trial was seen to take
FREE_SHARE = 0.9  # of the free memory, that trials may fill
CLOSING_SECONDS = 2.0  # for threads to end, where the run is left early
WAIT_SECONDS = 0.5  # before it is looked again whether the run pauses
OUT_OF_MEMORY = "OutOfMemoryError"

Message = ganbench.Event | ganbench.TrialResult | None


class Together(ganbench.Executor):
    """Trials side by side on one GPU, in this process: for many seeds of networks too small to fill it.

    Each has a stream of its own, so that the captured steps of several overlap; results are those of one after another, bit
    for bit. A trial that raises, diverges or runs out of memory costs the others nothing, and one that took the memory of
    others is run again alone; one that kills its process ends the run. A timeout counts a trial's own turns, and ends it
    between two steps.

    Args:
        workers: Trials side by side; as many as fit into the free memory by default, measured at the first one.
        threads: CPU threads; torch's default if not given.
    """

    expected_failures = {"survives-a-trial-that-dies": "runs trials in the calling process"}
    devices = ("cuda",)

    def __init__(self, *, workers: int | None = None, threads: int | None = None) -> None:
        for name, value in (("workers", workers), ("threads", threads)):
            if value is not None and value < 1:
                raise ganbench.RequestError(f"executor 'together': {name} = {value}: give at least 1")
        self.workers = workers
        self.threads = threads
        self._pause_end: float | None = None  # when those that were asked to pause are left

    def check(self, device: str) -> None:
        """Refuse a CPU, which one trial keeps busy: side by side they gain nothing there."""
        if device.partition(":")[0] not in self.devices:
            raise ganbench.RequestError(
                f"executor 'together': runs trials side by side on one GPU, and the device is {device}; "
                "give --executor processes"
            )

    def pause(self, seconds: float) -> None:
        """Begin no further trial, and leave those that have not ended after so many seconds; all have been asked to."""
        self._pause_end = time.monotonic() + seconds

    def run(
        self, trials: Sequence[ganbench.Trial], emit: Callable[[ganbench.Event], None]
    ) -> Iterator[ganbench.TrialResult]:
        """Yield each result when its trial ends; threads end with the iterator, also if it is closed early."""
        self._pause_end = None
        if not trials:
            return
        for device in {trial.device for trial in trials}:
            self.check(device)
        started = _Threads(trials[0].device, self.threads)
        room = _Room(self.workers, trials[0].device, len(trials))
        waiting, alone = deque(trials), deque[ganbench.Trial]()
        with started.turns.taking() as turn:
            try:
                while started.running or ((waiting or alone) and self._pause_end is None):
                    if self._pause_end is None:
                        while waiting and room.has_one(started.running):
                            started.begin(waiting.popleft())
                        if alone and not waiting and not started.running:
                            started.begin(alone.popleft())
                    if room.note:
                        emit(ganbench.TrialNote(next(iter(started.running)), room.note))
                        room.note = ""
                    with turn.away(give_up=self._is_overdue):
                        message = started.wait(self._is_overdue)
                    if not isinstance(message, ganbench.TrialResult):
                        if message is not None:
                            emit(message)
                        continue
                    ended = started.running.pop(message.trial.id)
                    room.learn(ended)
                    if ended.had_company and OUT_OF_MEMORY in message.reason:
                        emit(ganbench.TrialNote(message.trial.id, "out of memory beside others; it is run again alone"))
                        alone.append(message.trial)
                    else:
                        yield message
            except (_Overdue, ganbench.TurnLost):
                return
            finally:
                started.close(turn)

    def _is_overdue(self) -> bool:
        return self._pause_end is not None and time.monotonic() > self._pause_end


@dataclass
class _Running:
    """A trial that is being run.

    Attributes:
        turn: Its part in the turns; None before its first.
        steps: Steps that it was seen to take.
        had_company: Whether another ran beside it.
    """

    trial: ganbench.Trial
    thread: threading.Thread
    turn: ganbench.Turn | None = None
    steps: int = 0
    had_company: bool = False


class _Left(BaseException):
    """Ends a trial whose run has been left; no Exception, so that it is not taken for the trial's own."""


class _TimedOut(BaseException):
    """Ends a trial whose time is over."""


class _Overdue(Exception):
    """Trials that were asked to pause have not."""


@dataclass
class _Threads:
    """The threads, and what they have to say."""

    device: str
    threads: int | None
    messages: queue.SimpleQueue[Message] = field(default_factory=queue.SimpleQueue)
    running: dict[str, _Running] = field(default_factory=dict)  # by the trial's id
    is_left: bool = False

    def __post_init__(self) -> None:
        self.turns = ganbench.Turns(self.device)

    def begin(self, trial: ganbench.Trial) -> None:
        thread = threading.Thread(target=self._run, args=(trial,), name=trial.id, daemon=True)
        self.running[trial.id] = _Running(trial, thread)
        if len(self.running) > 1:
            for one in self.running.values():
                one.had_company = True
        thread.start()

    def wait(self, is_overdue: Callable[[], bool]) -> Message:
        """Return the next message. Raises _Overdue once trials have not ended in the time they had."""
        while True:
            try:
                return self.messages.get(timeout=WAIT_SECONDS)
            except queue.Empty:
                if is_overdue():
                    raise _Overdue from None

    def close(self, turn: ganbench.Turn) -> None:
        """Let threads end where they next take a step. One that hangs is left: it ends with the process."""
        self.is_left = True
        if not self.running or not turn.is_its_turn:
            return
        end = time.monotonic() + CLOSING_SECONDS
        with contextlib.suppress(_Overdue), turn.away():
            for one in self.running.values():
                one.thread.join(max(0.0, end - time.monotonic()))
                if one.thread.is_alive():
                    raise _Overdue

    def _run(self, trial: ganbench.Trial) -> None:
        """What a thread does: run a trial, and say how it ended unless the run has been left."""
        running = self.running[trial.id]
        try:
            with self.turns.taking() as turn:
                running.turn = turn
                result = ganbench.run_trial(
                    trial,
                    self.messages.put,
                    self.threads,
                    lambda steps_alone: self._between_steps(running, steps_alone),
                )
        except _Left:
            return
        except _TimedOut:
            reason = f"not done after {trial.timeout:g} s of its own"
            result = ganbench.TrialResult(trial, ganbench.Status.TIMEOUT, reason, device=trial.device)
        except BaseException as error:
            reason = f"{type(error).__name__}: {error}"
            result = ganbench.TrialResult(trial, ganbench.Status.ERROR, reason, device=trial.device)
        self.messages.put(result)

    def _between_steps(self, running: _Running, steps_alone: bool) -> None:
        if self.is_left:
            raise _Left
        running.steps += 1
        if running.steps == MEASURED_STEPS:
            self.messages.put(None)  # there may be room for others now
        turn, timeout = running.turn, running.trial.timeout
        assert turn is not None
        if not steps_alone and timeout is not None and turn.seconds > timeout:
            raise _TimedOut
        if running.steps % TURN_STEPS == 0 or not steps_alone:
            turn.pass_on(steps_alone=steps_alone)
            if self.is_left:
                raise _Left


class _Room:
    """How many trials fit.

    Args:
        workers: How many are asked for; None for as many as the memory takes.
        device: The device.
        trials: How many there are.
    """

    def __init__(self, workers: int | None, device: str, trials: int) -> None:
        self._workers, self._device, self._trials = workers, device, trials
        self._peak = 0  # bytes, of the largest trial that was measured
        self._is_known = self._is_said = False
        self.note = ""

    def has_one(self, running: dict[str, _Running]) -> bool:
        """Return whether there is room for another trial. Without `workers` the first runs alone until it is measured."""
        if self._workers is not None:
            return len(running) < self._workers
        for one in running.values():
            if one.steps >= MEASURED_STEPS:
                self.learn(one)
        if not self._is_known:
            return not running
        need = int(SPARE * self._peak)
        free = free_memory(self._device)
        if running and not self._is_said:
            self._is_said = True
            fit = min(self._trials, len(running) + int(FREE_SHARE * free / max(need, 1)))
            self.note = f"up to {fit} trials side by side: one takes {self._peak / 2**20:.0f} MiB, {free / 2**30:.1f} GiB are free"
        growing = sum(max(0, need - one.turn.used if one.turn else need) for one in running.values())
        return not running or growing + need <= FREE_SHARE * free

    def learn(self, one: _Running) -> None:
        """Take note of what a trial has taken."""
        if one.turn is not None:
            self._peak, self._is_known = max(self._peak, one.turn.peak), True


def free_memory(device: str) -> int:
    """Return the bytes of a CUDA device that are free, those included that torch keeps for itself."""
    import torch

    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + kept
