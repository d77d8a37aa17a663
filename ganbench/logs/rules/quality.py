"""Quality: a score that is now worse than the run's own best, which shows a failed run whatever the objective.

If D's sign on training reals has risen meanwhile, the cause is memorization.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...contract.failures import QUALITY_REGRESSION, Failure
from ...contract.records import Evidence, Finding, Remedy
from ..log import Array, Log, Series
from ..names import LOWER_IS_BETTER
from ..onset import SCORES

MIN_SCORES = 3  # for a trend
MIN_SCORES_FOR_PLATEAU = 4
WORSE_FACTOR = 1.5  # times worse than the run's own best
SCORE_RESOLUTION = {"kid": 1e-3}  # smaller differences mean nothing
BAD_SCORES = {"fid": 60.0, "kid": 0.06}  # far from usable samples, with the usual network on ImageNet
LEARNED_SHARE = 0.7  # of its first value: a score below shows that the run has learned
PLATEAU_SHARE = 0.95  # of the best of the first half: the second half gets no lower
MIN_SIGNS = 10
OVERFITTING_SIGN = 0.6  # E[sign D(x)] on training reals (Karras et al. 2020, "Training GANs with limited data")
MIN_SIGN_RISE = 0.1
AGAINST_MEMORIZATION = Remedy(advice="augment what D sees (ADA, DiffAugment), or train on more data")


@dataclass(frozen=True)
class Quality:
    """A quality score over training.

    Attributes:
        name: Canonical name of the score.
        series: Its values.
        relative: How many times worse than the run's best each value is, shape (n,), at least 1.
    """

    name: str
    series: Series
    relative: Array

    @property
    def best(self) -> int:
        """Index of the best value."""
        return int(np.argmin(self.relative))

    @property
    def worse_from(self) -> int | None:
        """Index since which the score has been `WORSE_FACTOR` times worse than its best, to the end.

        None unless that holds for the last two values, or the last three if there are at least five.
        """
        worse = self.relative >= WORSE_FACTOR
        if not worse[-(3 if len(worse) >= 5 else 2) :].all():
            return None
        return int(np.flatnonzero(~worse)[-1]) + 1

    @property
    def never_improved(self) -> bool:
        """Whether the score has stayed near its first value, at a bad level of the usual scale."""
        values, bad = self.series.values, BAD_SCORES.get(self.name)
        if bad is None or len(values) < MIN_SCORES_FOR_PLATEAU or self.name not in self.series.raw.lower():
            return False  # a Fréchet distance of other features has a scale of its own
        half = len(values) // 2
        return bool(
            values.min() >= max(bad, LEARNED_SHARE * values[0])
            and values[half:].min() >= PLATEAU_SHARE * values[:half].min()
        )


def quality_of(log: Log) -> Quality | None:
    """Return the log's quality score, None if it has fewer than `MIN_SCORES` values."""
    for name in SCORES:
        if series := log.get(name, MIN_SCORES):
            values = np.maximum(series.values, SCORE_RESOLUTION.get(name, 1e-12))
            relative = values / values.min() if name in LOWER_IS_BETTER else values.max() / values
            return Quality(name, series, relative)
    return None


def findings(log: Log) -> Iterator[Finding]:
    """Yield at most one finding.

    A failure if the score has become worse and stayed so, a warning if only its last value is worse. Without a score,
    a warning if D overfits, which need not have affected the samples yet.
    """
    quality = quality_of(log)
    if quality is None:
        yield from _sign_findings(log)
    elif quality.relative[-1] >= WORSE_FACTOR:
        yield _worse_finding(log, quality)


def _worse_finding(log: Log, quality: Quality) -> Finding:
    worse_from, best, series = quality.worse_from, quality.best, quality.series
    best_step, factor = float(series.steps[best]), float(quality.relative[-1])
    threshold = float(series.values[best]) * (WORSE_FACTOR if quality.name in LOWER_IS_BETTER else 1 / WORSE_FACTOR)
    evidence = {quality.name: series.last_as_evidence(threshold)}
    at_best = log.format_step(best_step)
    course = f"{series.raw} was best at {at_best} ({series.values[best]:.4g}) and is now {factor:.1f} times worse"
    keep = f"keep the snapshot of {at_best}"
    overfitting = _overfitting(log, best_step)
    if worse_from is None:
        summary = f"{course}, but only at its last value: {keep} and evaluate again."
    elif overfitting:
        evidence |= overfitting
        summary = f"{course}, while D's sign on training reals rose: D has memorized them; {keep}."
    else:
        summary = f"{course}, and has stayed so: {keep}. The log does not show the cause."
    return Finding(
        diagnosis=Failure.MEMORIZATION if overfitting and worse_from is not None else QUALITY_REGRESSION,
        horizon="now",
        severity="warning" if worse_from is None else "failure",
        confidence=0.4 if worse_from is None else 0.7 if overfitting else 0.9,
        onset_step=int(series.steps[-1 if worse_from is None else worse_from]),
        summary=summary,
        evidence=evidence,
        remedy=AGAINST_MEMORIZATION if overfitting and worse_from is not None else Remedy(),
    )


def _sign_findings(log: Log) -> Iterator[Finding]:
    sign = log.get("sign_real", MIN_SIGNS)
    overfitting = _overfitting(log, float(sign.steps[len(sign) // 2])) if sign else {}
    if sign and overfitting:
        yield Finding(
            diagnosis=Failure.MEMORIZATION,
            horizon="now",
            severity="warning",
            confidence=0.4,
            onset_step=int(sign.steps[np.argmax(sign.values > OVERFITTING_SIGN)]),
            summary=(
                f"D's sign on training reals has risen to {overfitting['sign_real'].value:.2f}: D is memorizing them. "
                "A quality score would show whether samples suffer."
            ),
            evidence=overfitting,
            remedy=AGAINST_MEMORIZATION,
        )


def _overfitting(log: Log, best_step: float) -> dict[str, Evidence]:
    """Return D's sign on training reals if it is high and has risen since `best_step`, else nothing."""
    sign = log.get("sign_real", MIN_SIGNS)
    if sign is None:
        return {}
    before, late = sign.values[sign.steps <= best_step], sign.median(0.9, 1.0)
    at_best = float(np.median(before[-max(3, len(before) // 4) :])) if len(before) else float(sign.values[0])
    if late <= OVERFITTING_SIGN or late - at_best < MIN_SIGN_RISE:
        return {}
    return {"sign_real": Evidence(late, OVERFITTING_SIGN, int(sign.steps[-1]))}
