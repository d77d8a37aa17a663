"""What a run says while it works: a live line on a terminal, plain lines elsewhere, always on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .. import hookimpl
from ..contract.events import Event, RunStarted, TrialEnded, TrialProgress, TrialStarted
from ..contract.records import Trial

PLAIN_EVERY = 10.0  # seconds between two plain lines
RATE_OVER = 15.0  # seconds that the step rate looks back


class Tally:
    """Counts what events tell: trials done, steps done, failures, and from them the rate and the time left."""

    def __init__(self, todo: Sequence[Trial]) -> None:
        self.total = len(todo)
        self.kept = 0
        self.done = 0
        self.failures = 0
        self.running: dict[str, str] = {}
        self._budget = sum(trial.training.steps for trial in todo)
        self._steps: dict[str, int] = {}
        self._finished = 0
        self._began = time.monotonic()
        self._recent: list[tuple[float, int]] = []

    def take(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, RunStarted):
            self.kept = event.kept
        elif isinstance(event, TrialStarted):
            self.running[event.trial.id] = f"{event.trial.method} on {event.trial.dataset}, seed {event.trial.seed}"
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
        self._recent = [(t, s) for t, s in self._recent if now - t < RATE_OVER] + [(now, sum(self._steps.values()))]

    @property
    def rate(self) -> float:
        """Steps a second, over all workers, of late."""
        (first, before), (last, now) = self._recent[0], self._recent[-1]
        return (now - before) / (last - first) if last > first else 0.0

    @property
    def share(self) -> float:
        """How much of the budget is done; a trial that ended early has done all of its part."""
        under_way = sum(self._steps.get(trial_id, 0) for trial_id in self.running)
        return (self._finished + under_way) / self._budget if self._budget else 1.0

    @property
    def seconds_left(self) -> float | None:
        elapsed = time.monotonic() - self._began
        return elapsed * (1 - self.share) / self.share if self.share > 0.005 else None

    def line(self) -> str:
        """The state in one line."""
        left = f"{_clock(self.seconds_left)} left" if self.seconds_left is not None else "time left unknown"
        kept = f" (+{self.kept} kept)" if self.kept else ""
        rate = f"{self.rate:.0f} steps/s"
        return f"{self.done}/{self.total} trials{kept}, {self.share:.0%}, {rate}, {left}, {self.failures} failed"


class _PlainLines:
    """A line now and then."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._said = 0.0

    @hookimpl
    def ganbench_event(self, event: Event) -> None:
        self._tally.take(event)
        if isinstance(event, TrialEnded) and event.result.status in ("diverged", "error", "timeout"):
            _say(f"{event.result.status}: {event.result.trial.id}: {event.result.reason}")
        due = time.monotonic() - self._said > PLAIN_EVERY or self._tally.done == self._tally.total
        if due and isinstance(event, TrialEnded | TrialProgress):
            self._said = time.monotonic()
            _say(self._tally.line())


class _LiveLine:
    """A bar, the state, and the trials under way."""

    def __init__(self, tally: Tally) -> None:
        from rich.console import Console
        from rich.live import Live

        self._tally = tally
        self.live = Live(console=Console(stderr=True), refresh_per_second=4, transient=True)

    @hookimpl
    def ganbench_event(self, event: Event) -> None:
        self._tally.take(event)
        if isinstance(event, TrialEnded) and event.result.status in ("diverged", "error", "timeout"):
            self.live.console.print(
                f"{event.result.status}: {event.result.trial.id}: {event.result.reason}",
                markup=False,
                highlight=False,
            )
        self.live.update(self._render())

    def _render(self) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        running = [Text(f"  {what}", style="dim") for what in self._tally.running.values()]
        return Group(ProgressBar(100, self._tally.share * 100, width=60), Text(self._tally.line()), *running)


@contextmanager
def showing_progress(manager: Any, todo: Sequence[Trial]) -> Iterator[None]:
    """Listen to the events of a run and show how far it is."""
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
        if manager.is_registered(listener):  # it is not where it failed itself
            manager.unregister(listener)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _clock(seconds: float | None) -> str:
    minutes, rest = divmod(round(seconds or 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
