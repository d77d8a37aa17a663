"""What trials take, in seconds and bytes: from trials that have ended, else from timed steps, else from stated costs."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from ..contract.records import Trial, TrialResult
from .network_cost import Work

Works = tuple[Work, Work]  # of G and of D
Count = Callable[[Trial], Works | None]
StepSeconds = Mapping[tuple[str, str], float]  # by data set and method
SMALL_FEATURES = ("digits", "mnist", "pixels")  # networks that take next to nothing

# Stated costs, measured on one core of a machine of 2024. What a network computes is counted where that can be done
# (`network_cost.py`): fitted to 13 pairs of networks of any width, on points and on pictures of 8 to 64 pixels, seconds of
# an update are 0.5 to 1.4 times those of these pairs. Where it cannot, costs are those of the networks of the suite `basic`: an
# update of a player on a batch of 128 points, or for each value of a batch of images. A penalty costs a part of an update
# more.
FLOP_SECONDS, VALUE_SECONDS, CALL_SECONDS = 1.0e-11, 1.8e-9, 5e-6
BACKWARD = 2.0  # times what the way forward takes
OBSERVING_SHARE = 0.08  # of training, for signals and probes
POINTS_UPDATE_SECONDS = 1.4e-3
IMAGE_VALUE_SECONDS = 1.7e-6
PENALTY_SHARE = 0.4
ACCELERATOR_UPDATE_SECONDS = 1.5e-3
TRIAL_SECONDS = 1.0  # to build and to store
METRIC_SECONDS = 0.1  # of each metric at each evaluation
PICTURE_SECONDS = 4e-3  # of a picture's way through a network that was trained on photographs
PICTURE_SETS = 3  # that take it: generated, real, and real ones apart from these
WORKER_SECONDS = 6.0  # until a worker process is ready
MIN_SHARE = 0.05  # of its steps, from which on a running trial says how long it takes
POINTS_BYTES, IMAGES_BYTES = (
    300_000,
    600_000,
)  # of a stored trial; images of 8 x 8, larger ones in proportion to the side


@dataclass(frozen=True)
class Forecast:
    """What a run is going to take.

    Attributes:
        seconds: From its start to its end.
        bytes: What its results take on the disk.
        workers: Trials that run side by side.
        measured: Trials that have ended and that this is derived from; 0 where costs are only stated.
        timed: Whether a step of every method was timed.
    """

    seconds: float
    bytes: float
    workers: int
    measured: int
    timed: bool = False


def uncounted(trial: Trial) -> Works | None:
    """Return None: nothing was counted."""
    return None


class Durations:
    """Predicts how long a trial takes, from those that have ended: the same method on the same data, or else similar."""

    def __init__(
        self, ended: Iterable[TrialResult] = (), count: Count = uncounted, steps: StepSeconds | None = None
    ) -> None:
        self._count, self._steps = count, steps or {}
        # Seconds over those stated, by data set and method: of trials that have ended, and of one that runs.
        self._ended: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._running: dict[tuple[str, str], float] = {}
        self.measured = 0
        for result in ended:
            self.add(result)

    def add(self, result: TrialResult) -> None:
        """Take a trial that has ended into account; one that was lost says nothing."""
        if result.status.finished and result.seconds > 0:
            trial = result.trial
            self._ended[trial.dataset, trial.method].append(result.seconds / self._stated(trial))
            self.measured += 1

    def watch(self, trial: Trial, seconds: float, share: float) -> None:
        """Take a trial into account that has run for some seconds, in which a share of its steps was done."""
        if share >= MIN_SHARE:
            self._running[trial.dataset, trial.method] = seconds / share / self._stated(trial)

    @property
    def has_measured(self) -> bool:
        """Whether any trial has ended, or run far enough to say how long it takes."""
        return bool(self._ended or self._running)

    def predict(self, trial: Trial) -> float:
        """Return the seconds that a trial takes from its start to its end."""
        known = self._running | {key: fmean(of) for key, of in self._ended.items()}
        if (trial.dataset, trial.method) in known:
            return known[trial.dataset, trial.method] * self._stated(trial)
        of_data = [factor for (dataset, _), factor in known.items() if dataset == trial.dataset]
        of_method = [factor for (_, method), factor in known.items() if method == trial.method]
        return median(of_data or of_method or list(known.values()) or [1.0]) * self._stated(trial)

    def _stated(self, trial: Trial) -> float:
        step = self._steps.get((trial.dataset, trial.method))
        return stated_seconds(trial, self._count(trial) if step is None else None, step)


def stated_seconds(trial: Trial, works: Works | None = None, step: float | None = None) -> float:
    """Return how long a trial takes by the stated costs, and by a step that was timed if there is one.

    Args:
        trial: The trial.
        works: What G and D compute, if that has been counted.
        step: Seconds of a step, if that has been timed.
    """
    training, evaluation = trial.training, trial.evaluation
    evaluations = len(evaluation.at) * len(evaluation.metrics)
    scoring = METRIC_SECONDS * evaluations + _feature_seconds(trial)
    penalties = PENALTY_SHARE * len(trial.components.regularizers)
    if step is not None:
        return (1 + OBSERVING_SHARE) * training.steps * step + TRIAL_SECONDS + scoring
    if works is not None and not trial.device.startswith("cuda"):
        d_update, g_update = _update_seconds(works, training.batch_size)
        step = training.d_steps * (1 + penalties) * d_update + training.g_steps * g_update
        return (1 + OBSERVING_SHARE) * training.steps * step + TRIAL_SECONDS + scoring
    updates = training.d_steps * (1 + penalties) + training.g_steps
    if trial.device.startswith("cuda"):
        update = ACCELERATOR_UPDATE_SECONDS
    elif trial.data.kind == "images":
        update = IMAGE_VALUE_SECONDS * training.batch_size * _size(trial)
    else:
        update = POINTS_UPDATE_SECONDS * (0.5 + 0.5 * training.batch_size / 128)
    return training.steps * updates * update + TRIAL_SECONDS + scoring


def _update_seconds(works: Works, batch_size: int) -> tuple[float, float]:
    """Return the seconds of an update of D and of one of G.

    D sees a batch of each kind and goes forward and backward, G only forward; G's update takes both both ways, but for the
    gradients of D's weights.
    """
    g, d = works
    both_ways = 1 + BACKWARD
    d_update = (
        FLOP_SECONDS * batch_size * (2 * both_ways * d.flops + g.flops)
        + VALUE_SECONDS * batch_size * (2 * both_ways * d.values + g.values)
        + CALL_SECONDS * (2 * both_ways * d.calls + g.calls)
    )
    g_update = (
        FLOP_SECONDS * batch_size * (both_ways * g.flops + BACKWARD * d.flops)
        + VALUE_SECONDS * batch_size * both_ways * (g.values + d.values)
        + CALL_SECONDS * both_ways * (g.calls + d.calls)
    )
    return d_update, g_update


def _feature_seconds(trial: Trial) -> float:
    """Return what features of photographs' networks take: at the end of a run, unless the suite says otherwise."""
    if trial.data.kind != "images":
        return 0.0
    named = {str(ref.options["features"]) for ref in trial.evaluation.metrics if "features" in ref.options}
    n_networks = len([name for name in named if not any(small in name for small in SMALL_FEATURES)])
    pictures = PICTURE_SETS * trial.evaluation.samples * len(trial.evaluation.expensive_at)
    return PICTURE_SECONDS * n_networks * pictures


def schedule_seconds(running: Sequence[float], waiting: Sequence[float], workers: int) -> float:
    """Return when the last trial ends, if each that waits starts, in this order, as soon as a worker is free.

    Args:
        running: The seconds that each running trial still takes.
        waiting: The seconds that each other trial takes.
        workers: Trials that run side by side.
    """
    free = [*running, *[0.0] * (max(1, workers) - len(running))]
    heapq.heapify(free)
    for seconds in waiting:
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)


def forecast(
    todo: Sequence[Trial],
    ended: Sequence[TrialResult],
    workers: int,
    count: Count = uncounted,
    steps: StepSeconds | None = None,
) -> Forecast:
    """Return what trials are going to take.

    Args:
        todo: The trials to run.
        ended: Results of trials that have ended, of the same or of other settings.
        workers: Trials that run side by side.
        count: Returns what G and D of a trial compute, if that can be counted.
        steps: Seconds of a step of those that were timed.
    """
    durations = Durations(ended, count, steps)
    seconds = [durations.predict(trial) for trial in todo]
    side_by_side = max(1, min(workers, len(todo)))
    timed = {(trial.dataset, trial.method) for trial in todo} <= (steps or {}).keys()
    total = schedule_seconds([], seconds, side_by_side) + (WORKER_SECONDS if todo else 0.0)
    return Forecast(total, sum(map(_stated_bytes, todo)), side_by_side, durations.measured, timed)


def _size(trial: Trial) -> int:
    size = 1
    for length in trial.data.shape:
        size *= length
    return size


def _stated_bytes(trial: Trial) -> float:
    if trial.data.kind != "images":
        return POINTS_BYTES
    return IMAGES_BYTES * max(1.0, trial.data.shape[-1] / 8)
