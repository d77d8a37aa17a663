"""The training loop of the textbook, in the open.

Steps 1 and 2, gather data and choose the networks, are done when a GAN comes in. Steps 3 to 5, train D on real data, train
D on generated data, and train G on D's judgement, are `GAN.step`. Steps 6 and 7, repeat and evaluate, and stop if the
result is good or surely bad, are here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from ..contract.failures import Status
from ..contract.records import REAL_SAMPLES, Finding, NonFinite, Score, StopWhen
from .game import GAN
from .replay import replay_to_first_nonfinite
from .schedule import Schedule

STOP_CONFIDENCE = 0.9  # confidence from which a finding may end a run
CHECKPOINTS = 10  # states kept over a run, one at a time, to replay from when the numbers stop being finite


class RunObserver(Protocol):
    """What the loop needs of an observer (see `observation.observer`): rows, and whether the newest one is finite."""

    nonfinite: NonFinite | None

    def observe(self, step: int, loss_d: Tensor, loss_g: Tensor, *, probe: bool) -> Mapping[str, float]: ...

    def is_finite(self) -> bool: ...


class StepWatch(Protocol):
    """What the loop needs of a watch over its first steps (see `observation.wiring`)."""

    done: bool

    def begin(self) -> None: ...

    def end_step(self) -> bool: ...

    def stop(self) -> None: ...


@dataclass(frozen=True)
class Ending:
    """How training ended: its status, why, after how many steps, and the seconds spent training and observing."""

    status: Status
    reason: str
    steps: int
    seconds: float


@dataclass
class LoopState:
    """What the loop itself remembers beside the game.

    Attributes:
        finite: The state of the game when its numbers were last known to be finite, to replay from; None before.
        losses: Losses of D and G at each step since the last observation.
        seconds: Spent training and observing before this process.
    """

    finite: Mapping[str, Any] | None = None
    losses: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    seconds: float = 0.0
    _began: float = field(default_factory=time.perf_counter)
    _evaluating: float = 0.0

    def begin(self) -> None:
        """Count seconds from now on."""
        self._began, self._evaluating = time.perf_counter(), 0.0

    def exclude(self, seconds: float) -> None:
        """Leave out seconds that were spent evaluating."""
        self._evaluating += seconds

    @property
    def seconds_so_far(self) -> float:
        """Seconds spent training and observing, in all processes."""
        return self.seconds + time.perf_counter() - self._began - self._evaluating

    def state_dict(self) -> dict[str, Any]:
        """Return what the loop remembers."""
        return {"finite": self.finite, "losses": list(self.losses), "seconds": self.seconds_so_far}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from another state."""
        self.finite, self.losses, self.seconds = state["finite"], list(state["losses"]), state["seconds"]


def train(
    gan: GAN,
    schedule: Schedule,
    observer: RunObserver,
    *,
    evaluate: Callable[[int, bool], Sequence[Score]],
    diagnose: Callable[[], Sequence[Finding]],
    progress: Callable[[int, Mapping[str, float]], None],
    watch: StepWatch | None = None,
    loop: LoopState | None = None,
    before_step: Callable[[], None] = lambda: None,
    step: Callable[[], tuple[Tensor, Tensor]] | None = None,
) -> Ending:
    """Train to the end of the budget, or until a target is met, a diagnosis is sure, or the numbers are not finite.

    Args:
        gan: What to train.
        schedule: After which steps to observe, to probe and to evaluate.
        observer: Writes the history.
        evaluate: Scores the run after that many steps; by every metric if this is the last time.
        diagnose: Finds failures in the history so far.
        progress: Is told the steps done and the new row of the history.
        watch: Watches the first steps.
        loop: What the loop remembers; a new one by default. A run that goes on has its own, and `gan` as it was then.
        before_step: Is called where the run can be left and gone on with: before each step and each update of the
            warm-up, when everything that the steps before it are followed by has been done. While steps are watched it is
            not called but before the first.
        step: Takes a step of `gan` that is not watched; `GAN.step` by default.
    """
    loop = loop or LoopState()
    loop.begin()
    settings, step = gan.settings, step or gan.step
    keep_every = max(1, len(schedule.observe) // CHECKPOINTS)
    gan.warm_up(before_step)
    if loop.finite is None:
        loop.finite = gan.state_dict()
    losses = loop.losses

    def ending(status: Status, reason: str = "") -> Ending:
        return Ending(status, reason, gan.steps_done, loop.seconds_so_far)

    for pauses, stop in enumerate(schedule.stops, start=1):
        if stop <= gan.steps_done:
            continue  # it was reached before the run was left
        while gan.steps_done < stop:
            if watch is None or watch.done or not gan.steps_done:  # the steps that are watched are gone through in one
                before_step()
            if watch is None or watch.done:
                losses.append(step())  # not read here: that would wait for the device at each step
                continue
            watch.begin()
            losses.append(gan.step())
            watch.end_step()

        early = None  # why the trial ends before its budget
        if stop in schedule.observe:
            row = observer.observe(stop, *losses[-1], probe=stop in schedule.probe)
            progress(stop, row)
            if not observer.is_finite():
                observer.nonfinite = replay_to_first_nonfinite(gan, loop.finite, stop, losses)
                return ending(Status.DIVERGED, _describe(observer.nonfinite))
            losses.clear()
            if pauses % keep_every == 0:
                loop.finite = gan.state_dict()
            if settings.stop_on and stop in schedule.probe:
                early = _certain_failure(diagnose(), settings.stop_on)

        if stop in schedule.evaluate | schedule.evaluate_expensive or early:
            gan.synchronize()
            paused = time.perf_counter()
            scores = evaluate(stop, bool(early))
            if not early and settings.stop_when and (early := _met_target(scores, settings.stop_when)):
                evaluate(stop, True)
            loop.exclude(time.perf_counter() - paused)
        if early and stop < settings.steps:
            return ending(Status.STOPPED, f"{early}; {settings.steps - stop} of {settings.steps} steps saved")
    return ending(Status.DONE)


def _certain_failure(findings: Sequence[Finding], stop_on: Sequence[str]) -> str | None:
    for finding in findings:
        if finding.diagnosis in stop_on and finding.severity == "failure" and finding.confidence >= STOP_CONFIDENCE:
            return f"{finding.diagnosis} is certain since step {finding.onset_step}"
    return None


def _met_target(scores: Sequence[Score], target: StopWhen) -> str | None:
    for score in scores:
        if score.metric != target.metric:
            continue
        if target.at_least is not None and score.value >= target.at_least:
            return f"target met: {score.metric} = {score.value:.4g} is at least {target.at_least:g}"
        if target.at_most is not None and score.value <= target.at_most:
            return f"target met: {score.metric} = {score.value:.4g} is at most {target.at_most:g}"
    return None


def _describe(nonfinite: NonFinite) -> str:
    if nonfinite.what == REAL_SAMPLES:
        return f"not finite since step {nonfinite.step}: real samples that the data set's loader gives"
    layer = f" of layer {nonfinite.layer!r}" if nonfinite.layer else ""
    return f"not finite since step {nonfinite.step}: {nonfinite.what}{layer} of the {nonfinite.player}"
