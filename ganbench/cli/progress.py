"""Shows the progress of a run on standard error: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .. import hookimpl
from ..contract.events import Event, RunStarted, TrialEnded, TrialNote, TrialProgress, TrialResumed, TrialStarted
from ..contract.records import Trial

PLAIN_INTERVAL_SECONDS = 10.0  # between two plain lines
RATE_WINDOW_SECONDS = 15.0  # that the step rate is averaged over


class Tally:
    """Counts trials done, steps done and failures, and derives the rate and the time left."""

    def __init__(self, todo: Sequence[Trial]) -> None:
        self.total = len(todo)
        self.kept = 0
        self.done = 0
        self.failures = 0
        self.running: dict[str, str] = {}
        self._budget = sum(trial.training.steps for trial in todo)
        self._steps: dict[str, int] = {}
        self._finished = 0
        self._resumed = 0  # steps that were done before this run
        self._began = time.monotonic()
        self._recent: list[tuple[float, int]] = []

    def count(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, RunStarted):
            self.kept = event.kept
        elif isinstance(event, TrialStarted):
            self.running[event.trial.id] = f"{event.trial.method} on {event.trial.dataset}, seed {event.trial.seed}"
        elif isinstance(event, TrialResumed):
            self._steps[event.trial_id] = event.step
            self._resumed += event.step
            self._recent = []  # no step of these has just been done
        elif isinstance(event, TrialProgress):
            self._steps[event.trial_id] = event.step
        elif isinstance(event, TrialEnded):
            result = event.result
            self.done += 1
            self.running.pop(result.trial.id, None)
            self._steps[result.trial.id] = result.steps
            self._finished += result.trial.training.steps
            self.failures += result.failed
        now = time.monotonic()
        self._recent = [(t, s) for t, s in self._recent if now - t < RATE_WINDOW_SECONDS] + [
            (now, sum(self._steps.values()))
        ]

    @property
    def rate(self) -> float:
        """Recent steps per second, over all workers."""
        (first, before), (last, now) = self._recent[0], self._recent[-1]
        return (now - before) / (last - first) if last > first else 0.0

    @property
    def share(self) -> float:
        """The fraction of the budget that is done; a trial that ended early counts as complete."""
        running = sum(self._steps.get(trial_id, 0) for trial_id in self.running)
        return (self._finished + running) / self._budget if self._budget else 1.0

    @property
    def seconds_left(self) -> float | None:
        elapsed = time.monotonic() - self._began
        done = self.share - (self._resumed / self._budget if self._budget else 0.0)  # in this run
        return elapsed * (1 - self.share) / done if done > 0.005 else None

    def line(self) -> str:
        """Return the state in one line."""
        left = f"{_format_duration(self.seconds_left)} left" if self.seconds_left is not None else "time left unknown"
        kept = f" (+{self.kept} kept)" if self.kept else ""
        rate = f"{self.rate:.0f} steps/s"
        return f"{self.done}/{self.total} trials{kept}, {self.share:.0%}, {rate}, {left}, {self.failures} failed"


class _PlainLines:
    """Prints a line at intervals."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._printed = 0.0

    @hookimpl
    def ganbench_event(self, event: Event) -> None:
        self._tally.count(event)
        if line := _news(event):
            _print(line)
        due = time.monotonic() - self._printed > PLAIN_INTERVAL_SECONDS or self._tally.done == self._tally.total
        if due and isinstance(event, TrialEnded | TrialProgress):
            self._printed = time.monotonic()
            _print(self._tally.line())


class _LiveLine:
    """Shows a bar, the state, and the running trials."""

    def __init__(self, tally: Tally) -> None:
        from rich.console import Console
        from rich.live import Live

        self._tally = tally
        self.live = Live(console=Console(stderr=True), refresh_per_second=4, transient=True)

    @hookimpl
    def ganbench_event(self, event: Event) -> None:
        self._tally.count(event)
        if line := _news(event):
            self.live.console.print(line, markup=False, highlight=False)
        self.live.update(self._render())

    def _render(self) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        running = [Text(f"  {what}", style="dim") for what in self._tally.running.values()]
        return Group(ProgressBar(100, self._tally.share * 100, width=60), Text(self._tally.line()), *running)


def _news(event: Event) -> str:
    """What is printed of an event as a line of its own; empty for most."""
    if isinstance(event, TrialEnded) and event.result.status.lost:
        return f"{event.result.status}: {event.result.trial.id}: {event.result.reason}"
    if isinstance(event, TrialNote):
        return f"{event.trial_id}: {event.text}"
    return f"{event.trial_id} goes on after {event.step} steps" if isinstance(event, TrialResumed) else ""


@contextmanager
def show_progress(manager: Any, todo: Sequence[Trial]) -> Iterator[None]:
    """Listen to the events of a run and show its progress."""
    tally = Tally(todo)
    if not sys.stderr.isatty():
        listener: Any = _PlainLines(tally)
        with _registered(manager, listener):
            yield
        return
    listener = _LiveLine(tally)
    with _registered(manager, listener), listener.live:
        yield


@contextmanager
def _registered(manager: Any, listener: object) -> Iterator[None]:
    manager.register(listener, name="progress")
    try:
        yield
    finally:
        if manager.is_registered(listener):  # it is not if it failed itself
            manager.unregister(listener)


def _print(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _format_duration(seconds: float | None) -> str:
    minutes, rest = divmod(round(seconds or 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
