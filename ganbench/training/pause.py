"""Asks the trials of this process to save a checkpoint and end: a job that is preempted, a run whose minutes are over."""

from __future__ import annotations

import threading

_asked = threading.Event()


class TrialPaused(Exception):
    """Ends a trial that has been asked to pause, where it can go on later."""


def pause_trials() -> None:
    """Ask every trial in this process to save a checkpoint before its next step, and to end as `paused`.

    It returns at once, and may be called in a signal handler or in another thread.
    """
    _asked.set()


def is_pausing() -> bool:
    """Return whether trials have been asked to pause."""
    return _asked.is_set()


def allow_trials() -> None:
    """Let trials run again."""
    _asked.clear()
