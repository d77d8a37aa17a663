"""Ends a run early in good order: when its process is asked to terminate, and when its minutes are over.

A job of a cluster that is preempted gets SIGTERM and, some seconds later, SIGKILL. What trains saves a checkpoint in
between; what does not come to that is as if it had been killed, and loses what it did since its last checkpoint.
"""

from __future__ import annotations

import _thread
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..contract.adapt import provides
from .pause import allow_trials, pause_trials

GRACE_SECONDS = 12.0  # for running trials to save a checkpoint, of the 20 s that a preempted job may count on
MAX_GRACE = 0.2  # of a run's minutes, where these are over
CLOSING_SECONDS = 3.0  # from there to the end of the run


class _EndNow(BaseException):
    """Ends an executor that cannot pause its trials; no Exception, so that no trial takes it for its own."""


class Preemption:
    """Asks the trials of a run to pause, once.

    Attributes:
        why: Why they have been asked; empty as long as they have not.
        is_to_be_left: Whether the executor cannot pause, and is to be closed instead.
    """

    def __init__(self, executor: Any) -> None:
        self._executor = executor
        self.why, self.is_to_be_left = "", False

    def ask(self, why: str, seconds: float = GRACE_SECONDS) -> None:
        """Ask the executor, and the trials of this process, to pause; in the main thread raise _EndNow if it cannot."""
        if self.why:
            return
        self.why = why
        pause_trials()
        if provides(self._executor, "pause"):
            self._executor.pause(seconds)
            return
        self.is_to_be_left = True
        if threading.current_thread() is threading.main_thread():
            raise _EndNow


@dataclass(frozen=True)
class Deadline:
    """When the trials of a run pause, so that it is over in time.

    Attributes:
        at: When they are asked to, by `time.monotonic`.
        grace: Seconds that they have then.
    """

    at: float
    grace: float

    @classmethod
    def after(cls, minutes: float, began: float) -> Deadline:
        """Return that of a run that began then and may take so many minutes."""
        seconds = 60 * minutes
        grace = min(GRACE_SECONDS, MAX_GRACE * seconds)
        return cls(began + seconds - grace - min(CLOSING_SECONDS, MAX_GRACE * seconds), grace)


@contextmanager
def pause_when_asked(executor: Any, deadline: Deadline | None) -> Iterator[Preemption]:
    """Pause the trials that `executor` runs in the block on SIGTERM, and when their minutes are over.

    Args:
        executor: What runs the trials.
        deadline: When they are over; None for never.
    """
    preemption = Preemption(executor)
    allow_trials()
    before = signal.getsignal(signal.SIGTERM)
    # Only the main thread can have a handler; and a program's own is left alone.
    handles = threading.current_thread() is threading.main_thread() and before is signal.SIG_DFL
    is_over = threading.Event()

    def ask(*_: object) -> None:
        if deadline is not None and is_over.is_set():
            preemption.ask("the end of its minutes", deadline.grace)
        else:
            preemption.ask("SIGTERM")

    def end_minutes() -> None:
        is_over.set()
        if handles:
            _thread.interrupt_main(signal.SIGTERM)  # an executor that cannot pause is left from its own thread alone
        else:
            ask()

    timer = None if deadline is None else threading.Timer(max(0.0, deadline.at - time.monotonic()), end_minutes)
    if handles:
        signal.signal(signal.SIGTERM, ask)
    if timer is not None:
        timer.daemon = True
        timer.start()
    try:
        yield preemption
    except _EndNow:
        pass
    finally:
        if timer is not None:
            timer.cancel()
        if handles:
            signal.signal(signal.SIGTERM, before)
        allow_trials()
