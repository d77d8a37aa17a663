"""Forward the events of a run to the trackers, which keep a record of each trial."""

from __future__ import annotations

import atexit
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial

import ganbench

from .choice import choose_trackers
from .content import history, scores
from .tracker import Record, Tracker


class Listener:
    """Does nothing unless a run starts for which GANBENCH_TRACKERS names trackers, and nothing after its end.

    A tracker that fails during a run is disabled with a warning; the others continue.
    """

    def __init__(self) -> None:
        self._trackers: dict[str, Tracker] = {}
        self._records: dict[str, dict[str, Record]] = {}  # trial id -> tracker -> record

    def handle(self, event: ganbench.Event) -> None:
        """Handle an event. Raises at RunStarted alone, if the request is wrong or a tracker cannot be started."""
        match event:
            case ganbench.RunStarted():
                self._start(event)
            case ganbench.TrialStarted(trial):
                self._interrupt(trial.id)  # an executor may restart a trial in another worker
                self._open(trial)
            case ganbench.TrialProgress(trial_id, step, _, row):
                self._for_each(trial_id, partial(_log, step=step, values=history(row)))
            case ganbench.TrialEnded(result):
                self._end(result)
            case ganbench.RunEnded():
                self.close()

    def close(self) -> None:
        """Close all open records as interrupted, and drop the trackers."""
        for trial_id in list(self._records):
            self._interrupt(trial_id)
        self._trackers = {}
        atexit.unregister(self.close)

    def _start(self, event: ganbench.RunStarted) -> None:
        self.close()  # an earlier run of this process may have been interrupted
        self._trackers = choose_trackers(os.environ, event)

    def _open(self, trial: ganbench.Trial) -> None:
        records = self._records.setdefault(trial.id, {})
        for name, tracker in list(self._trackers.items()):
            with self._disable_on_error(name):
                records[name] = tracker.open(trial)
        # No event follows Ctrl-C. Registered last, so that it runs before the libraries' own exit handlers.
        atexit.unregister(self.close)
        atexit.register(self.close)

    def _end(self, result: ganbench.TrialResult) -> None:
        if result.trial.id not in self._records:  # it was lost before a worker started it
            self._open(result.trial)
        for step, values in scores(result).items():
            self._for_each(result.trial.id, partial(_log, step=step, values=values))
        self._for_each(result.trial.id, lambda record: record.end(result))
        self._records.pop(result.trial.id)

    def _interrupt(self, trial_id: str) -> None:
        self._for_each(trial_id, lambda record: record.interrupt())
        self._records.pop(trial_id, None)

    def _for_each(self, trial_id: str, action: Callable[[Record], None]) -> None:
        for name, record in list(self._records.get(trial_id, {}).items()):
            with self._disable_on_error(name):
                action(record)

    @contextmanager
    def _disable_on_error(self, name: str) -> Iterator[None]:
        """Disable the tracker if the block raises."""
        try:
            yield
        except Exception as error:
            self._trackers.pop(name, None)
            for records in self._records.values():
                if record := records.pop(name, None):
                    with suppress(Exception):  # close what can be closed
                        record.interrupt()
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            warnings.warn(f"tracker {name!r} is disabled: {reason}", stacklevel=2)


def _log(record: Record, step: int, values: Mapping[str, float]) -> None:
    record.log(step, values)
