"""Takes the events of a run to the trackers, each trial to a record of its own in each of them."""

from __future__ import annotations

import atexit
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial

import ganbench

from .choice import chosen
from .content import history, scores
from .tracker import Record, Tracker


class Listener:
    """Idle until a run starts with trackers asked for, and again once it has ended.

    A tracker that fails while a run is under way is left out with a warning; the others go on.
    """

    def __init__(self) -> None:
        self._trackers: dict[str, Tracker] = {}
        self._records: dict[str, dict[str, Record]] = {}  # trial id -> tracker -> record

    def hear(self, event: ganbench.Event) -> None:
        """Act on an event. Raises on RunStarted alone: for a wrong request, or a tracker that cannot begin."""
        match event:
            case ganbench.RunStarted():
                self._start(event)
            case ganbench.TrialStarted(trial):
                self._interrupt(trial.id)  # an executor may give a lost trial to another worker
                self._open(trial)
            case ganbench.TrialProgress(trial_id, step, _, row):
                self._each(trial_id, partial(_log, step=step, values=history(row)))
            case ganbench.TrialEnded(result):
                self._end(result)
            case ganbench.RunEnded():
                self.close()

    def close(self) -> None:
        """Close what is open, as interrupted, and be idle."""
        for trial_id in list(self._records):
            self._interrupt(trial_id)
        self._trackers = {}
        atexit.unregister(self.close)

    def _start(self, event: ganbench.RunStarted) -> None:
        self.close()  # an earlier run of this process may have been interrupted
        self._trackers = chosen(os.environ, event)

    def _open(self, trial: ganbench.Trial) -> None:
        records = self._records.setdefault(trial.id, {})
        for name, tracker in list(self._trackers.items()):
            with self._leaving_out(name):
                records[name] = tracker.open(trial)
        # After Ctrl-C no event comes. Registered last, to close a trial before its library does so at exit.
        atexit.unregister(self.close)
        atexit.register(self.close)

    def _end(self, result: ganbench.TrialResult) -> None:
        if result.trial.id not in self._records:  # it was lost before a worker took it up
            self._open(result.trial)
        for step, values in scores(result).items():
            self._each(result.trial.id, partial(_log, step=step, values=values))
        self._each(result.trial.id, lambda record: record.end(result))
        self._records.pop(result.trial.id)

    def _interrupt(self, trial_id: str) -> None:
        self._each(trial_id, lambda record: record.interrupt())
        self._records.pop(trial_id, None)

    def _each(self, trial_id: str, act: Callable[[Record], None]) -> None:
        for name, record in list(self._records.get(trial_id, {}).items()):
            with self._leaving_out(name):
                act(record)

    @contextmanager
    def _leaving_out(self, name: str) -> Iterator[None]:
        """What fails inside costs this tracker, and nothing else."""
        try:
            yield
        except Exception as error:
            self._trackers.pop(name, None)
            for records in self._records.values():
                if record := records.pop(name, None):
                    with suppress(Exception):  # it is broken already; close what can be closed
                        record.interrupt()
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            warnings.warn(f"tracker {name!r} is left out: {reason}", stacklevel=2)


def _log(record: Record, step: int, values: Mapping[str, float]) -> None:
    record.log(step, values)
