"""A quality score that was better before: the one thing in a log that shows a lost run whatever the objective."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...contract.records import Evidence, Finding, Remedy
from ..log import Array, Log, Series
from ..names import LOWER_IS_BETTER

SCORES = ("fid", "kid", "inception_score")  # the first that a log has
LOST = 1.5  # times the run's own best
FEWEST = 3  # values below which a score has no course
NOISE = {"kid": 1e-3}  # differences that the score cannot show
BAD = {"fid": 60.0, "kid": 0.06}  # nothing that one would call samples, with the usual network on ImageNet
IMPROVED = 0.7  # of its first value: what a run that learns comes below
OVERFITTING = 0.6  # E[sign D(x)] on training reals (Karras et al. 2020, "Training GANs with limited data")
RISEN = 0.1


@dataclass(frozen=True)
class Quality:
    """A score over training and how many times worse than its best it was at each step."""

    name: str
    series: Series
    worse: Array

    @property
    def best(self) -> int:
        return int(np.argmin(self.worse))

    @property
    def lost_from(self) -> int | None:
        """Since when it has been `LOST` to the end, at the last two values or, where there are five, three."""
        met = self.worse >= LOST
        if not met[-(3 if len(met) >= 5 else 2) :].all():
            return None
        return int(np.flatnonzero(~met)[-1]) + 1

    @property
    def stands_still(self) -> bool:
        """Whether it never got far from where it began, at a level that is bad on the usual scale."""
        values, bad = self.series.values, BAD.get(self.name)
        if bad is None or len(values) < 4 or self.name not in self.series.raw.lower():
            return False  # a Fréchet distance of other features has a scale of its own
        half = len(values) // 2
        return bool(
            values.min() >= max(bad, IMPROVED * values[0]) and values[half:].min() >= 0.95 * values[:half].min()
        )


def quality_of(log: Log) -> Quality | None:
    """The log's quality score; None where it has too few values to have a course."""
    for name in SCORES:
        if series := log.get(name, FEWEST):
            size = np.maximum(series.values, NOISE.get(name, 1e-12))
            worse = size / size.min() if name in LOWER_IS_BETTER else size.max() / size
            return Quality(name, series, worse)
    return None


def findings(log: Log) -> Iterator[Finding]:
    """At most one: a failure where the score is lost and stays so, a warning where only its last value is.

    Without a score, a warning where D overfits: that need not have cost anything yet.
    """
    quality = quality_of(log)
    if quality is None:
        yield from _of_signs_alone(log)
    elif quality.worse[-1] >= LOST:
        yield _lost(log, quality)


def _lost(log: Log, quality: Quality) -> Finding:
    lost, best, series = quality.lost_from, quality.best, quality.series
    at_best, factor = float(series.steps[best]), float(quality.worse[-1])
    bound = float(series.values[best]) * (LOST if quality.name in LOWER_IS_BETTER else 1 / LOST)
    evidence = {quality.name: series.last(bound)}
    was = f"{series.raw} was best at {log.at(at_best)} ({series.values[best]:.4g}) and is now {factor:.1f} times"
    keep = f"keep the snapshot of {log.at(at_best)}"
    overfit = _overfitting(log, at_best)
    if lost is None:
        summary = f"{was} worse, at its last value alone: {keep}, and score once more."
    elif overfit:
        evidence |= overfit
        summary = f"{was} worse while D's sign on training reals rose: D has memorized them; {keep}."
    else:
        summary = f"{was} worse, and has stayed so: {keep}. What went wrong these numbers do not tell."
    return Finding(
        diagnosis="memorization" if overfit and lost is not None else "inconclusive",
        horizon="now",
        severity="warning" if lost is None else "failure",
        confidence=0.4 if lost is None else 0.7 if overfit else 0.9,
        onset_step=int(series.steps[-1 if lost is None else lost]),
        summary=summary,
        evidence=evidence,
        remedy=Remedy(),
    )


def _of_signs_alone(log: Log) -> Iterator[Finding]:
    sign = log.get("sign_real", 10)
    overfit = _overfitting(log, float(sign.steps[len(sign) // 2])) if sign else {}
    if sign and overfit:
        yield Finding(
            diagnosis="memorization",
            horizon="now",
            severity="warning",
            confidence=0.4,
            onset_step=int(sign.steps[np.argmax(sign.values > OVERFITTING)]),
            summary=(
                f"D's sign on training reals rises, to {overfit['sign_real'].value:.2f}: it is learning them by heart. "
                "Whether samples suffer a quality score would tell."
            ),
            evidence=overfit,
            remedy=Remedy(),
        )


def _overfitting(log: Log, at_best: float) -> dict[str, Evidence]:
    """D's sign on training reals where it is high, and higher than when the score was best; empty where it is not."""
    sign = log.get("sign_real", 10)
    if sign is None:
        return {}
    before, late = sign.values[sign.steps <= at_best], sign.median(0.9, 1.0)
    around = float(np.median(before[-max(3, len(before) // 4) :])) if len(before) else float(sign.values[0])
    if late <= OVERFITTING or late - around < RISEN:
        return {}
    return {"sign_real": Evidence(late, OVERFITTING, int(sign.steps[-1]))}
