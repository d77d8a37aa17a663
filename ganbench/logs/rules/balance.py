"""Balance of the players: a discriminator that overpowers the generator, or one that stays at chance.

Read from D's mean outputs, their signs, its AUC or accuracy, and, less surely, from the losses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ...contract.failures import Failure
from ...contract.records import Evidence, Finding, Remedy
from ..log import Array, Log, Series
from ..onset import sustained_from
from .quality import WORSE_FACTOR, Quality, quality_of

MIN_VALUES = 10
MIN_SUSTAINED_SHARE = 0.3  # of the log's steps, for which D must have won
# D's outputs and their signs: bounds on real and on generated samples beyond which D is hardly ever wrong, and the
# largest difference between the two at chance.
OUTPUT_BOUNDS = {"sign": (0.95, -0.95, 0.1), "d": (0.95, 0.05, 0.05)}
# AUC and accuracy: the bound above which D is hardly ever wrong, and the largest distance from 0.5 at chance.
RATE_BOUNDS = {"auc_d": (0.99, 0.05), "accuracy_d": (0.99, 0.05)}
ZERO_LOSS = 1e-3  # 0 to the digits that most programs log
NEAR_ZERO_LOSS = 0.1  # D's logistic, hinge and least-squares losses are near their minimum below
MIN_GROWN_LOSS = 2.0
GROWN_FACTOR = 1.5  # times G's loss in the first tenth of the log
WEAKEN_D = Remedy(
    {"regularizers": ["r1"], "d_steps": 1},
    "a gradient penalty on real samples (R1) in D's loss, one step of D for each of G, or a lower learning rate for D",
)
CHANCE_LOSSES = (math.log(2), 2 * math.log(2))  # D's logistic loss at chance: the mean of both terms, or their sum
CHANCE_LOSS_TOLERANCE = 0.02  # relative


@dataclass(frozen=True)
class Saturation:
    """Since which step D has been hardly ever wrong, with the evidence and how sure that is."""

    onset: float
    evidence: Mapping[str, Evidence]
    confidence: float


def findings(log: Log) -> Iterator[Finding]:
    """Yield at most one finding.

    A D that wins is no failure while the samples improve, nor is one at chance if they are good.
    """
    quality = quality_of(log)
    if quality is not None and not quality.never_improved and quality.relative[-1] < WORSE_FACTOR:
        return
    stuck = quality if quality is not None and quality.never_improved else None
    if "input_gradient" not in log.series and (saturation := _saturation(log)):
        yield _overpowering_finding(log, saturation, stuck)
    elif stuck and "fresh_critic_auc" not in log.series and (evidence := _at_chance(log)):
        yield _weak_finding(evidence, stuck)


def _saturation(log: Log) -> Saturation | None:
    for kind, (high, low, _) in OUTPUT_BOUNDS.items():
        real, fake = log.get(f"{kind}_real", MIN_VALUES), log.get(f"{kind}_fake", MIN_VALUES)
        if real and fake and (onset := _onset((real, real.values >= high), (fake, fake.values <= low))) is not None:
            evidence = {f"{kind}_real": real.last_as_evidence(high), f"{kind}_fake": fake.last_as_evidence(low)}
            return Saturation(onset, evidence, 0.5)
    for name, (high, _) in RATE_BOUNDS.items():
        rate = log.get(name, MIN_VALUES)
        if rate and (onset := _onset((rate, _as_fraction(rate.values) >= high))) is not None:
            return Saturation(onset, {name: rate.last_as_evidence(high)}, 0.5)
    d, g = log.get("loss_d", MIN_VALUES), log.get("loss_g", MIN_VALUES)
    if d is None or np.signbit(d.values).any():  # a critic's; a negative zero was negative before it was rounded
        return None
    if g is not None:
        grown = max(MIN_GROWN_LOSS, GROWN_FACTOR * abs(g.median(0.0, 0.1)))
        onset = _onset((d, d.values <= NEAR_ZERO_LOSS), (g, g.values >= grown))
        if onset is not None:
            evidence = {"loss_d": d.last_as_evidence(NEAR_ZERO_LOSS), "loss_g": g.last_as_evidence(grown)}
            return Saturation(onset, evidence, 0.4)
    onset = _onset((d, d.values <= ZERO_LOSS))
    return None if onset is None else Saturation(onset, {"loss_d": d.last_as_evidence(ZERO_LOSS)}, 0.45)


def _onset(*conditions: tuple[Series, Array]) -> float | None:
    """Return the step since which all conditions have been sustained, None if that is too short.

    Args:
        *conditions: A series and whether each of its values meets its condition.
    """
    onsets = []
    for series, met in conditions:
        first = sustained_from(met)
        if first is None or len(series) - first < MIN_VALUES // 2:
            return None
        onsets.append(float(series.steps[first]))
    steps = conditions[0][0].steps
    end, span = steps[-1], steps[-1] - steps[0]
    return max(onsets) if end - max(onsets) >= MIN_SUSTAINED_SHARE * span else None


def _as_fraction(values: Array) -> Array:
    """Convert accuracies that were logged in percent."""
    return values / 100 if values.max() > 1.5 else values


def _overpowering_finding(log: Log, saturation: Saturation, stuck: Quality | None) -> Finding:
    from_losses = "loss_d" in saturation.evidence
    what = "D is hardly ever wrong"
    if from_losses:
        what = "D's loss is near its minimum while G's has grown"
        if "loss_g" not in saturation.evidence:
            what = f"D has won: {log.series['loss_d'].raw} has been 0 (at most {ZERO_LOSS:g})"
    beside = f" and {_stuck_at(stuck)}" if stuck else ""
    caveat = "" if stuck else " A strong D alone is no failure: a quality score would show whether this is one."
    if from_losses and "loss_g" not in saturation.evidence:
        caveat = "" if stuck else " Whether samples still improve would show in a quality score."
        caveat += " If D is meant to start later, it has not started."
    certain = stuck is not None and not from_losses
    return Finding(
        diagnosis=Failure.OVERPOWERING_DISCRIMINATOR,
        horizon="now",
        severity="failure" if certain else "warning",
        confidence=saturation.confidence + (0.25 if certain else 0.1 if stuck else 0.0),
        onset_step=int(saturation.onset),
        summary=f"{what} since {log.format_step(saturation.onset)}{beside}.{caveat}",
        evidence={**saturation.evidence, **_quality_evidence(stuck)},
        remedy=WEAKEN_D,
    )


def _at_chance(log: Log) -> dict[str, Evidence] | None:
    """Return evidence that D could not distinguish real from generated samples in any quarter of the log."""
    for kind, (_, _, width) in OUTPUT_BOUNDS.items():
        real, fake = log.get(f"{kind}_real", MIN_VALUES), log.get(f"{kind}_fake", MIN_VALUES)
        if real and fake and max(abs(r - f) for r, f in zip(_quarters(real), _quarters(fake), strict=True)) <= width:
            return {f"{kind}_real": real.last_as_evidence(None), f"{kind}_fake": fake.last_as_evidence(None)}
    for name, (_, width) in RATE_BOUNDS.items():
        rate = log.get(name, MIN_VALUES)
        if rate and max(abs(q - 0.5) for q in _as_fraction(np.array(_quarters(rate)))) <= width:
            return {name: rate.last_as_evidence(0.5 + width)}
    d = log.get("loss_d", MIN_VALUES)
    if d and any(max(abs(q / loss - 1) for q in _quarters(d)) <= CHANCE_LOSS_TOLERANCE for loss in CHANCE_LOSSES):
        return {"loss_d": d.last_as_evidence(min(CHANCE_LOSSES, key=lambda loss: abs(loss - d.median())))}
    return None


def _quarters(series: Series) -> list[float]:
    """Return the median of each quarter of the values."""
    return [float(np.median(part)) for part in np.array_split(series.values, 4)]


def _weak_finding(evidence: Mapping[str, Evidence], stuck: Quality) -> Finding:
    return Finding(
        diagnosis=Failure.WEAK_DISCRIMINATOR,
        horizon="now",
        severity="warning" if "loss_d" in evidence else "failure",
        confidence=0.4 if "loss_d" in evidence else 0.6,
        onset_step=int(stuck.series.steps[0]),
        summary=(
            f"D has been at chance from the first step to the last, and {_stuck_at(stuck)}: "
            "its gradients teach G nothing."
        ),
        evidence={**evidence, **_quality_evidence(stuck)},
        remedy=Remedy({"d_steps": 2}, "two steps of D for each of G, or a higher learning rate for D"),
    )


def _stuck_at(stuck: Quality) -> str:
    return f"{stuck.series.raw} is stuck at {stuck.series.values[-1]:.4g}"


def _quality_evidence(stuck: Quality | None) -> dict[str, Evidence]:
    return {} if stuck is None else {stuck.name: stuck.series.last_as_evidence(None)}
