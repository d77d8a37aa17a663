"""Shows the progress of a run on standard error: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .. import hookimpl
from ..contract.errors import printable
from ..contract.events import Event, RunStarted, TrialEnded, TrialNote, TrialProgress, TrialResumed, TrialStarted
from ..contract.failures import NAMES_NO_FAILURE
from ..contract.records import Trial, TrialResult
from ..results.cost import Durations, schedule_seconds
from .console import MAX_WIDTH, format_times

PLAIN_INTERVAL_SECONDS = 10.0  # between two plain lines of the state
RATE_WINDOW_SECONDS = 15.0  # that the step rate is averaged over
BAR_COLUMNS = 60
MAX_NAME = 24  # characters of a method's or data set's name; a longer one is cut


class Tally:
    """Counts trials done, steps done and failures, and derives the rate and the time left.

    Args:
        todo: The trials of the run.
        ended: Results of an earlier run, which say how long such trials take.
        takes: What is said as the run begins of what it takes.
        clock: Returns the time in seconds.
    """

    def __init__(
        self,
        todo: Sequence[Trial],
        ended: Sequence[TrialResult] = (),
        takes: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._takes = takes
        self.total = len(todo)
        self.kept = 0
        self.done = 0
        self.failures = 0
        self.running: dict[str, str] = {}
        self._budget = sum(trial.training.steps for trial in todo)
        self._steps: dict[str, int] = {}
        self._finished = 0
        self._resumed: dict[str, int] = {}  # steps of trials that were done before this run
        self._clock = clock
        self._recent: list[tuple[float, int]] = []
        self._left = {trial.id: trial for trial in todo}
        self._durations = Durations(ended)
        self._began: dict[str, float] = {}
        self._side_by_side = 1

    def count(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, RunStarted):
            self.kept = event.kept
        elif isinstance(event, TrialStarted):
            self.running[event.trial.id] = describe_trial(event.trial)
            self._began[event.trial.id] = self._clock()
            self._side_by_side = max(self._side_by_side, len(self.running))
        elif isinstance(event, TrialResumed):
            self._steps[event.trial_id] = self._resumed[event.trial_id] = event.step
            self._recent = []  # no step of these has just been done
        elif isinstance(event, TrialProgress):
            self._steps[event.trial_id] = event.step
            if event.trial_id in self._began and event.trial_id in self._left:
                trial, seconds = self._left[event.trial_id], self._clock() - self._began[event.trial_id]
                done = event.step - self._resumed.get(event.trial_id, 0)
                self._durations.watch(trial, seconds, done / trial.training.steps)
        elif isinstance(event, TrialEnded):
            result = event.result
            self.done += 1
            self.running.pop(result.trial.id, None)
            self._left.pop(result.trial.id, None)
            self._steps[result.trial.id] = result.steps
            self._finished += result.trial.training.steps
            if result.trial.id not in self._resumed:
                self._durations.add(result)
            self.failures += result.failed
        now = self._clock()
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
        """The time until the last trial ends, from what trials of each data set and method took.

        It is None until one has ended or has run for a twentieth of its steps.
        """
        if not self._durations.has_measured:
            return None
        left = {
            trial_id: self._durations.predict(trial) * (1 - self._steps.get(trial_id, 0) / trial.training.steps)
            for trial_id, trial in self._left.items()
        }
        running = [left.pop(trial_id) for trial_id in self.running if trial_id in left]
        return schedule_seconds(running, list(left.values()), self._side_by_side)

    def line(self) -> str:
        """Return the state in one line."""
        left = f"{_format_duration(self.seconds_left)} left" if self.seconds_left is not None else "time left unknown"
        kept = f" (+{self.kept} kept)" if self.kept else ""
        rate = f"{self.rate:.0f} steps/s"
        return f"{self.done}/{self.total} trials{kept}, {self.share:.0%}, {rate}, {left}, {self.failures} failed"

    def news(self, event: Event, width: int) -> str:
        """Return what is printed of an event as lines of their own; empty for most."""
        if isinstance(event, RunStarted):
            return self._takes
        if isinstance(event, TrialEnded):
            return self.ended(event.result, width)
        if isinstance(event, TrialNote):
            return printable(f"{event.trial_id}: {event.text}")
        return f"{event.trial_id} goes on after {event.step} steps" if isinstance(event, TrialResumed) else ""

    def ended(self, result: TrialResult, width: int) -> str:
        """Return what is said of a trial as it ends, in lines of at most `width` columns: the verdict first."""
        from ..results.tables import times_floor  # pandas, which `--help` does not wait for

        count = f"{self.done:>{len(str(self.total))}}/{self.total}"
        verdict = ", ".join(result.verdicts) or str(result.status)
        if NAMES_NO_FAILURE.intersection(result.verdicts) and (times := times_floor(result)) is not None:
            verdict += f" ({format_times(times, times)})"
        if result.status.lost:
            verdict = f"{result.status} after {result.steps} steps"
        what = describe_trial(result.trial)
        if result.scores and not result.status.lost:
            what += f": {_main_score(result)}"
        one = printable(f"{count}  {verdict}  {what}")
        lines = [one] if len(one) <= width else [printable(f"{count}  {verdict}"), printable(f"    {what}")[:width]]
        if result.status.lost and result.reason:
            reason = printable(" ".join(result.reason.split()))
            lines += textwrap.wrap(reason, max(20, width), initial_indent="    ", subsequent_indent="    ")
        return "\n".join(lines)


def describe_trial(trial: Trial) -> str:
    """Return a trial's method, data set and seed, with long names cut."""
    method, dataset = (
        name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…" for name in (trial.method, trial.dataset)
    )
    return printable(f"{method} on {dataset}, seed {trial.seed}")


def _main_score(result: TrialResult) -> str:
    """The first metric of the suite, as it was at the end."""
    last = max(score.step for score in result.scores)
    score = next(score for score in result.scores if score.step == last)
    return f"{score.metric} {score.value:.3g}"


class _PlainLines:
    """Prints a line as each trial ends, and the state at intervals."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._printed = 0.0

    @hookimpl
    def ganbench_event(self, event: Event) -> None:
        self._tally.count(event)
        if text := self._tally.news(event, _plain_width()):
            _print(text)
        due = time.monotonic() - self._printed > PLAIN_INTERVAL_SECONDS or self._tally.done == self._tally.total
        if due and isinstance(event, TrialEnded | TrialProgress):
            self._printed = time.monotonic()
            _print(self._tally.line())


class _LiveLine:
    """Prints a line as each trial ends, above a bar, the state, and the running trials."""

    def __init__(self, tally: Tally) -> None:
        from rich.console import Console
        from rich.live import Live

        self._tally = tally
        self.live = Live(console=Console(stderr=True), refresh_per_second=4, transient=True)

    @hookimpl
    def ganbench_event(self, event: Event) -> None:
        self._tally.count(event)
        if text := self._tally.news(event, self.live.console.width):
            style = "red" if isinstance(event, TrialEnded) and event.result.failed else None
            self.live.console.print(text, style=style, markup=False, highlight=False)
        self.live.update(self._render())

    def _render(self) -> Any:
        from rich.console import Group
        from rich.text import Text

        # The state stands above the bar and the trials, on a line of its own: what failed and the time left are seen.
        done = round(BAR_COLUMNS * min(1.0, self._tally.share))
        bar = Text.assemble(("━" * done, "green"), ("━" * (BAR_COLUMNS - done), "dim"))
        running = [Text(f"  {what}", style="dim") for what in self._tally.running.values()]
        return Group(Text(self._tally.line()), bar, *running)


@contextmanager
def show_progress(
    manager: Any, todo: Sequence[Trial], ended: Sequence[TrialResult] = (), takes: str = ""
) -> Iterator[None]:
    """Listen to the events of a run and show its progress: see `Tally` for the arguments."""
    tally = Tally(todo, ended, takes)
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


def _plain_width() -> int:
    return shutil.get_terminal_size().columns if "COLUMNS" in os.environ else MAX_WIDTH


def _print(text: str) -> None:
    with contextlib.suppress(OSError):  # a run goes on if nobody reads what it says
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def _format_duration(seconds: float | None) -> str:
    minutes, rest = divmod(round(seconds or 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
