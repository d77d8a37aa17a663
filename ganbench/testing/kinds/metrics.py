"""What is asked of a metric. It is tried on real samples, and on the same samples made worse in known ways."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

import torch
from torch import Tensor

from ...contract.records import Direction
from ..candidate import Candidate
from ..check import ContractError, behaviour, check
from ..helpers.metric_cases import NOISE, Case, N, cases

NAME = re.compile(r"[\w.-]+", re.ASCII)
FLOOR_SHARE = 0.5  # of the way from the real samples themselves to bad ones: few samples have a floor above 0
SLACK = 0.05  # of that way: what one sample among many may move
ROUNDING = 1e-5  # relative: sums in another order, in float32


def direction(metric: Any, key: str) -> Direction:
    better: Direction = metric.better[key] if isinstance(metric.better, Mapping) else metric.better
    return better


def worse(metric: Any, key: str, value: float, than: float) -> bool:
    """Whether a score is worse than another beyond rounding. NaN is: nobody takes it for good."""
    gap = value - than if direction(metric, key) == "lower" else than - value
    return not gap <= ROUNDING * max(abs(than), 1e-6)


@check("metric", basic=True)
def better_is_declared(candidate: Candidate) -> None:
    """Every score that it returns is a number, and states whether higher or lower is better."""
    metric = candidate.build()
    for case in cases(candidate):
        scores = metric.score(case.of(case.more_real))
        if not isinstance(scores, Mapping) or not scores:
            raise ContractError(
                f"score() returns {scores!r}"[:100],
                cause="a bare number instead of named scores",
                fix=f'return a mapping such as {{"{candidate.entry.name}": value}}',
            )
        for key, value in scores.items():
            if not isinstance(key, str) or not NAME.fullmatch(key):
                raise ContractError(
                    f"names a score {key!r}",
                    cause="a name made for reading, not for a column",
                    fix="use letters, digits, dashes, dots and underscores",
                )
            better = getattr(metric, "better", None)
            stated = better.get(key) if isinstance(better, Mapping) else better
            if stated not in get_args(Direction):
                raise ContractError(
                    f"better is {stated!r} for its score {key!r}",
                    cause="`better` is missing, or lacks that name",
                    fix='declare better = "higher" or "lower"; where score() returns several, {name: "higher", ...}',
                )
            if isinstance(value, str | bool) or not isinstance(value, int | float):
                raise ContractError(
                    f"its score {key!r} is {value!r}, a {type(value).__name__}",
                    cause="a tensor or an array of one value",
                    fix="return float(value)",
                )


@check("metric")
def scores_are_finite(candidate: Candidate) -> None:
    """Real samples score finite numbers, in equal counts, with fewer generated samples, with fewer real ones."""
    metric = candidate.build()
    for case in cases(candidate):
        few = replace(case, real=case.real[: N // 3])
        counts = {
            f"{N} generated and {N} real": case.of(case.more_real),
            f"{N // 3} generated and {N} real": case.of(case.more_real[: N // 3]),
            f"{N} generated and {N // 3} real": few.of(case.more_real),
        }
        for what, samples in counts.items():
            for key, value in metric.score(samples).items():
                if not math.isfinite(value):
                    raise ContractError(
                        f"scores {key} = {value} for {what} samples of {case.name}",
                        cause="a division by zero, a logarithm of zero, or counts taken for equal",
                        fix="define the score for every count of samples that a suite may ask for",
                    )


@check("metric")
def better_is_true(candidate: Candidate) -> None:
    """Samples made worse score worse: under noise or when collapsed, and surely under both at once."""
    metric = candidate.build()
    for case in cases(candidate):
        floor, noisy, collapsed, ruined = (
            metric.score(case.of(fake)) for fake in (case.more_real, case.noisy, case.collapsed, case.ruined)
        )
        for key, value in floor.items():
            shown = f"{key} = {value:.4g} for real samples of {case.name}"
            if not worse(metric, key, ruined[key], value):
                raise ContractError(
                    f"calls one sample far from the data, repeated, as good as real ones or better: {shown}, "
                    f"{ruined[key]:.4g} for that, and better is {direction(metric, key)!r}",
                    cause="`better` states the wrong direction, or the score does not compare with the data",
                    fix='state "higher" or "lower" as the score is, and compare samples.fake with samples.real',
                )
            if not (worse(metric, key, noisy[key], value) or worse(metric, key, collapsed[key], value)):
                raise ContractError(
                    f"sees neither noise nor collapse: {shown}, {noisy[key]:.4g} under noise of {NOISE:g} standard "
                    f"deviations, {collapsed[key]:.4g} for two samples repeated",
                    cause="the score looks at something that a GAN may lose unpunished",
                    fix="score closeness to the data, or its variety",
                )


@check("metric")
def the_floor_is_low(candidate: Candidate) -> None:
    """Real samples against other real ones score near what is best, so that a floor means something."""
    metric = candidate.build()
    for case in cases(candidate):
        itself, floor, noisy, collapsed = (
            metric.score(case.of(fake)) for fake in (case.real, case.more_real, case.noisy, case.collapsed)
        )
        for key, best in itself.items():
            sign = 1 if direction(metric, key) == "lower" else -1
            bad = [sign * scores[key] for scores in (noisy, collapsed) if math.isfinite(scores[key])]
            way = max(bad, default=math.nan) - sign * best
            if way > 0 and sign * (floor[key] - best) > FLOOR_SHARE * way:
                raise ContractError(
                    f"hardly tells real samples from bad ones: on {case.name} {key} = {best:.4g} for the real samples "
                    f"themselves, {floor[key]:.4g} for other real ones, {sign * max(bad):.4g} under noise or collapse",
                    cause="the score counts exact matches, or drowns in the noise of a few hundred samples",
                    fix="compare distributions or neighbourhoods rather than samples one by one",
                )


@check("metric")
def order_does_not_matter(candidate: Candidate) -> None:
    """The same samples in another order score the same."""
    metric = candidate.build()
    for case in cases(candidate):
        first = metric.score(case.of(case.more_real))
        turned = replace(case, real=case.real.roll(17, 0)).of(case.more_real.flip(0))
        _expect_same(first, metric.score(turned), f"with samples of {case.name} in another order", "order")


@check("metric")
def scores_alike_twice(candidate: Candidate) -> None:
    """The same samples score the same when they come again: the floor is taken with the same metric."""
    metric = candidate.build()
    for case in cases(candidate):
        first = metric.score(case.of(case.more_real))
        metric.score(case.of(case.noisy))
        _expect_same(first, metric.score(case.of(case.more_real)), f"for the same samples of {case.name}", "state")


def _expect_same(first: Mapping[str, float], second: Mapping[str, float], when: str, what: str) -> None:
    causes = {
        "order": ("only the first samples are used, or pairs are made by position", "use all of the samples, as a set"),
        "state": (
            "random numbers from torch's global stream, or something kept on self",
            "draw from a torch.Generator made with a fixed seed in score(), and keep nothing between calls",
        ),
    }
    for key in first.keys() | second.keys():
        a, b = first.get(key, math.nan), second.get(key, math.nan)
        if not math.isclose(a, b, rel_tol=ROUNDING, abs_tol=1e-6):
            cause, mend = causes[what]
            raise ContractError(f"scores {key} = {b:.6g} instead of {a:.6g} {when}", cause=cause, fix=mend)


@check("metric")
def broken_samples_never_look_good(candidate: Candidate) -> None:
    """Samples that are NaN or infinite score NaN or worse than real ones, under the same names, and raise nothing."""
    metric = candidate.build()
    for case in cases(candidate):
        good = metric.score(case.of(case.more_real))
        for bad in (math.nan, math.inf, -math.inf):
            scores = _survived(metric, case, torch.full_like(case.more_real, bad), f"samples of nothing but {bad}")
            if scores.keys() != good.keys():
                raise ContractError(
                    f"returns {', '.join(scores)} for samples of nothing but {bad}, and otherwise {', '.join(good)}",
                    cause="a return of its own for samples that are not finite",
                    fix="return the same names always, with NaN where there is no value",
                )
            for key, value in scores.items():
                if not worse(metric, key, value, good[key]):
                    raise ContractError(
                        f"scores {key} = {value:.4g} for samples of nothing but {bad}, and {good[key]:.4g} for real "
                        f"samples of {case.name}",
                        cause="comparisons with NaN are false, and sums over nothing are 0",
                        fix="return NaN where samples are not finite, or count them as bad ones",
                    )


@check("metric")
def one_broken_sample_does_not_help(candidate: Candidate) -> None:
    """A single NaN among the samples raises nothing and makes no score better."""
    metric = candidate.build()
    for case in cases(candidate):
        good, ruined = metric.score(case.of(case.more_real)), metric.score(case.of(case.ruined))
        fake = case.more_real.clone()
        fake[3].view(-1)[0] = math.nan
        for key, value in _survived(metric, case, fake, "samples of which one is NaN").items():
            gain = good[key] - value if direction(metric, key) == "lower" else value - good[key]
            way = abs(good[key] - ruined[key])
            if gain > SLACK * (way if math.isfinite(way) else 0.0) + 1e-6:
                raise ContractError(
                    f"one NaN among {N} samples improves {key} from {good[key]:.4g} to {value:.4g} on {case.name}",
                    cause="a sample that is not finite is left out, or counts as a perfect one",
                    fix="return NaN where samples are not finite, or count them as bad ones",
                )


def _survived(metric: Any, case: Case, fake: Tensor, what: str) -> Mapping[str, float]:
    try:
        scores: Mapping[str, float] = metric.score(case.of(fake))
    except Exception as error:
        raise ContractError(
            f"raises {type(error).__name__} for {what}: {error}",
            cause="a library that refuses NaN, or a computation over no sample at all",
            fix="look for samples that are not finite first, and return NaN: a trial must not be lost to its metric",
        ) from error
    return scores


@check("metric")
def leaves_its_samples_alone(candidate: Candidate) -> None:
    """The samples it is given are the same afterwards: other metrics score them too."""
    metric = candidate.build()
    for case in cases(candidate):
        samples = case.of(case.more_real)
        metric.score(samples)
        if not (torch.equal(samples.fake, case.more_real) and torch.equal(samples.real, case.real)):
            raise ContractError(
                f"changes the samples of {case.name} that it is given",
                cause="an operation in place, such as add_, clamp_ or sub_, on samples.fake or samples.real",
                fix="compute into a new tensor",
            )


@behaviour("metric")
def behaves(candidate: Candidate) -> Any:
    """Its scores of real samples on the first data set that it serves."""
    case = cases(candidate)[0]
    return dict(candidate.build().score(case.of(case.more_real)))
