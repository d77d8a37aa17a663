"""Checks of metrics, on real samples, and on the same samples degraded in known ways."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

import torch
from torch import Tensor

from ...contract.components import Metric
from ...contract.errors import CannotScore
from ...contract.records import Direction, Estimate, Samples
from ..candidate import Candidate
from ..check import BASIC, ContractError, NotApplicable, behaviour, check
from ..helpers.metric_cases import N_SAMPLES, NOISE, MetricCase, cases

NAME = re.compile(r"[\w.-]+", re.ASCII)
MAX_FLOOR = 0.5  # of the range from the real samples themselves to degraded ones: few samples have a floor above 0
MAX_GAIN = 0.05  # of that range: how much one sample among many may improve a score
ROUNDING = 1e-5  # relative: sums in another order, in float32


def measure(metric: Metric, samples: Samples) -> dict[str, float]:
    """Return a metric's scores as numbers. Raise NotApplicable if its weights are not here, or the samples too few for it."""
    try:
        return {key: float(value) for key, value in metric.score(samples).items()}
    except FileNotFoundError as error:
        raise NotApplicable(f"its files are not here: {error}") from error
    except CannotScore as error:
        raise NotApplicable(f"it cannot score the samples of these checks: {error}") from error


def direction(metric: Metric, key: str) -> Direction:
    """Return whether a higher or a lower value of the score `key` is better."""
    better: Direction = metric.better[key] if isinstance(metric.better, Mapping) else metric.better
    return better


def is_worse(metric: Metric, key: str, value: float, than: float) -> bool:
    """Return whether a score is worse than another by more than rounding; NaN is worse than any."""
    gap = value - than if direction(metric, key) == "lower" else than - value
    return not gap <= ROUNDING * max(abs(than), 1e-6)


@check("metric", basic=True)
def better_is_declared(candidate: Candidate) -> None:
    """Every score that it returns is a number, and `better` states its direction."""
    metric: Metric = candidate.build()
    for case in cases(candidate):
        measure(metric, case.of(case.more_real))
        scores = metric.score(case.of(case.more_real))
        if not isinstance(scores, Mapping) or not scores:
            raise ContractError(
                f"score() returns {scores!r}"[:100],
                cause="a bare number instead of named scores",
                fix=f'return a mapping such as {{"{candidate.entry.name}": value}}',
            )
        for key, value in scores.items():
            if not isinstance(key, str) or (key and not NAME.fullmatch(key)):
                raise ContractError(
                    f"names a score {key!r}",
                    cause="a name that is no column name",
                    fix="use letters, digits, dashes, dots and underscores",
                )
            better = metric.better
            stated = better.get(key) if isinstance(better, Mapping) else better
            if stated not in get_args(Direction):
                raise ContractError(
                    f"better is {stated!r} for its score {key!r}",
                    cause="`better` has another value, or lacks that name",
                    fix='declare better = "higher" or "lower"; where score() returns several, {name: "higher", ...}',
                )
            value = value.value if isinstance(value, Estimate) else value
            if isinstance(value, str | bool) or not isinstance(value, int | float):
                raise ContractError(
                    f"its score {key!r} is {value!r}, a {type(value).__name__}",
                    cause="a tensor or an array of one value",
                    fix="return float(value)",
                )


@check("metric")
def scores_are_finite(candidate: Candidate) -> None:
    """Real samples have finite scores, for equal and for different numbers of generated and real samples."""
    metric: Metric = candidate.build()
    for case in cases(candidate):
        few = replace(case, real=case.real[: N_SAMPLES // 3])
        counts = {
            f"{N_SAMPLES} generated and {N_SAMPLES} real": case.of(case.more_real),
            f"{N_SAMPLES // 3} generated and {N_SAMPLES} real": case.of(case.more_real[: N_SAMPLES // 3]),
            f"{N_SAMPLES} generated and {N_SAMPLES // 3} real": few.of(case.more_real),
        }
        for what, samples in counts.items():
            for key, value in measure(metric, samples).items():
                if not math.isfinite(value):
                    raise ContractError(
                        f"scores {key} = {value} for {what} samples of {case.name}",
                        cause="a division by zero, a logarithm of zero, or numbers of samples assumed to be equal",
                        fix="define the score for all numbers of samples",
                    )


@check("metric", needs=(BASIC, "scores-are-finite"))
def better_is_true(candidate: Candidate) -> None:
    """Degraded samples score worse: with noise or collapsed, and in any case with both."""
    metric: Metric = candidate.build()
    for case in cases(candidate):
        floor, noisy, collapsed, ruined = (
            measure(metric, case.of(fake)) for fake in (case.more_real, case.noisy, case.collapsed, case.ruined)
        )
        for key, value in floor.items():
            shown = f"{key} = {value:.4g} for real samples of {case.name}"
            if not is_worse(metric, key, ruined[key], value):
                raise ContractError(
                    f"scores one outlier, repeated, as good as real samples or better: {shown}, "
                    f"{ruined[key]:.4g} for that, and better is {direction(metric, key)!r}",
                    cause="`better` states the wrong direction, or the score does not compare with the data",
                    fix='state "higher" or "lower" as the score is, and compare samples.fake with samples.real',
                )
            if not (is_worse(metric, key, noisy[key], value) or is_worse(metric, key, collapsed[key], value)):
                raise ContractError(
                    f"detects neither noise nor collapse: {shown}, {noisy[key]:.4g} with noise of {NOISE:g} standard "
                    f"deviations, {collapsed[key]:.4g} for two samples repeated",
                    cause="the score depends neither on sample quality nor on diversity",
                    fix="score the distance from the data, or the diversity of the samples",
                )


@check("metric", needs=(BASIC, "better-is-true"))
def the_floor_is_low(candidate: Candidate) -> None:
    """Real samples against other real ones score near the best value, so that the floor is meaningful."""
    metric: Metric = candidate.build()
    for case in cases(candidate):
        itself, floor, noisy, collapsed = (
            measure(metric, case.of(fake)) for fake in (case.real, case.more_real, case.noisy, case.collapsed)
        )
        for key, best in itself.items():
            sign = 1 if direction(metric, key) == "lower" else -1
            bad = [sign * scores[key] for scores in (noisy, collapsed) if math.isfinite(scores[key])]
            width = max(bad, default=math.nan) - sign * best
            if width > 0 and sign * (floor[key] - best) > MAX_FLOOR * width:
                raise ContractError(
                    f"hardly separates real samples from degraded ones: on {case.name} {key} = {best:.4g} for the real samples "
                    f"themselves, {floor[key]:.4g} for other real ones, {sign * max(bad):.4g} with noise or collapse",
                    cause="the score counts exact matches, or its variance over a few hundred samples is too high",
                    fix="compare distributions or neighbourhoods instead of single samples",
                )


@check("metric", needs=(BASIC, "scores-alike-twice"))
def order_does_not_matter(candidate: Candidate) -> None:
    """The order of the samples does not change the score."""
    metric: Metric = candidate.build()
    for case in cases(candidate):
        first = measure(metric, case.of(case.more_real))
        # Pairs stay pairs: what belongs to a sample goes where it goes.
        other = replace(case, real=case.real.roll(17, 0), more_real=case.more_real.flip(0))
        reordered = other.of(other.more_real)
        _expect_equal(first, measure(metric, reordered), f"with samples of {case.name} in another order", "order")


@check("metric")
def scores_alike_twice(candidate: Candidate) -> None:
    """The same samples score the same again: the same object also scores the floor."""
    metric: Metric = candidate.build()
    for case in cases(candidate):
        first = measure(metric, case.of(case.more_real))
        measure(metric, case.of(case.noisy))
        _expect_equal(first, measure(metric, case.of(case.more_real)), f"for the same samples of {case.name}", "state")


def _expect_equal(first: Mapping[str, float], second: Mapping[str, float], when: str, what: str) -> None:
    causes = {
        "order": ("only the first samples are used, or samples are paired by position", "use all samples, as a set"),
        "state": (
            "random numbers from torch's global stream, or state kept on self",
            "draw from a torch.Generator made with a fixed seed in score(), and keep no state between calls",
        ),
    }
    for key in first.keys() | second.keys():
        a, b = first.get(key, math.nan), second.get(key, math.nan)
        if not math.isclose(a, b, rel_tol=ROUNDING, abs_tol=1e-6):
            cause, fix = causes[what]
            raise ContractError(f"scores {key} = {b:.6g} instead of {a:.6g} {when}", cause=cause, fix=fix)


@check("metric")
def broken_samples_never_look_good(candidate: Candidate) -> None:
    """NaN or infinite samples score NaN or worse than real ones, under the same names, without an error."""
    metric: Metric = candidate.build()
    for case in cases(candidate):
        good = measure(metric, case.of(case.more_real))
        for bad in (math.nan, math.inf, -math.inf):
            scores = _score_or_raise(metric, case, torch.full_like(case.more_real, bad), f"samples that are all {bad}")
            if scores.keys() != good.keys():
                raise ContractError(
                    f"returns {', '.join(scores)} for samples that are all {bad}, and otherwise {', '.join(good)}",
                    cause="a separate return for samples that are not finite",
                    fix="always return the same names, with NaN where there is no value",
                )
            for key, value in scores.items():
                if not is_worse(metric, key, value, good[key]):
                    raise ContractError(
                        f"scores {key} = {value:.4g} for samples that are all {bad}, and {good[key]:.4g} for real "
                        f"samples of {case.name}",
                        cause="comparisons with NaN are false, and sums over nothing are 0",
                        fix="return NaN if samples are not finite, or count them as bad",
                    )


@check("metric", needs=(BASIC, "broken-samples-never-look-good"))
def one_broken_sample_does_not_help(candidate: Candidate) -> None:
    """A single NaN among the samples raises no error and improves no score."""
    metric: Metric = candidate.build()
    for case in cases(candidate):
        good, ruined = measure(metric, case.of(case.more_real)), measure(metric, case.of(case.ruined))
        fake = case.more_real.clone()
        fake[3].view(-1)[0] = math.nan
        for key, value in _score_or_raise(metric, case, fake, "samples of which one is NaN").items():
            gain = good[key] - value if direction(metric, key) == "lower" else value - good[key]
            width = abs(good[key] - ruined[key])
            if gain > MAX_GAIN * (width if math.isfinite(width) else 0.0) + 1e-6:
                raise ContractError(
                    f"one NaN among {N_SAMPLES} samples improves {key} from {good[key]:.4g} to {value:.4g} on {case.name}",
                    cause="samples that are not finite are left out, or count as perfect",
                    fix="return NaN if samples are not finite, or count them as bad",
                )


def _score_or_raise(metric: Metric, case: MetricCase, fake: Tensor, what: str) -> Mapping[str, float]:
    try:
        scores = measure(metric, case.of(fake))
    except NotApplicable:
        raise
    except Exception as error:
        raise ContractError(
            f"raises {type(error).__name__} for {what}: {error}",
            cause="a library that refuses NaN, or a computation over no samples",
            fix="test for samples that are not finite first, and return NaN, so that the trial keeps its other scores",
        ) from error
    return scores


@check("metric")
def leaves_its_samples_alone(candidate: Candidate) -> None:
    """It does not change the samples, which other metrics score too."""
    metric: Metric = candidate.build()
    for case in cases(candidate):
        samples = case.of(case.more_real)
        measure(metric, samples)
        if not (torch.equal(samples.fake, case.more_real) and torch.equal(samples.real, case.real)):
            raise ContractError(
                f"changes the samples of {case.name} that it is given",
                cause="an in-place operation, such as add_, clamp_ or sub_, on samples.fake or samples.real",
                fix="compute into a new tensor",
            )


@behaviour("metric")
def behaves(candidate: Candidate) -> Any:
    """Return its scores of real samples of the first data set that it does not skip."""
    case = cases(candidate)[0]
    return measure(candidate.build(), case.of(case.more_real))
