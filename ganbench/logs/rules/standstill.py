"""Standstill: losses, or a quality score, that keep one value to the end of the log.

Losses of batches never repeat to the last digit, not even at an equilibrium. Where they do, D's outputs are saturated or
the same for every sample, a loss is clamped, or the program logs something else than it trains on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ...contract.failures import WIRING, Failure
from ...contract.records import Finding, Remedy
from ..log import Log, Series
from ..onset import LOSSES, SCORES, nonfinite_again, nonfinite_tails
from .balance import CHANCE_LOSSES, MIN_SUSTAINED_SHARE, WEAKEN_D, ZERO_LOSS
from .quality import quality_of

MIN_VALUES = 8
MIN_SCORES = 4
MIN_MAGNITUDE = 0.05  # a loss nearer to 0 may move in digits that are not logged
MIN_SURE_VALUES = 20  # fewer rows that are equal may be a matter of the digits that are logged
OTHER_SIGNALS = (
    *("d_real", "d_fake", "score_real", "score_fake", "sign_real", "sign_fake", "auc_d", "accuracy_d"),
    *("grad_norm_d", "grad_norm_g", *SCORES),
)
CLAMPS = {-math.log(epsilon): f"-log({epsilon:g})" for epsilon in (1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12, 1e-16)}
CLAMP_TOLERANCE = 1e-4  # relative
BCE_CLAMP = 100.0  # where PyTorch's binary cross-entropy cuts its logarithms off
CONSTANT_D_LOSSES = (*CHANCE_LOSSES, 1.0, 2.0)  # logistic and hinge: D's output is the same for every sample
ADVICE = (
    "compare D's and G's weights before and after a step; look at D's raw outputs and at the learning rates; "
    "log the loss that is trained on"
)


@dataclass(frozen=True)
class Constant:
    """A series that keeps one value from an index to its end."""

    series: Series
    first: int

    @property
    def onset(self) -> float:
        """The step since which the value has been the same."""
        return float(self.series.steps[self.first])

    @property
    def value(self) -> float:
        """The value; a negative zero counts as zero."""
        return float(self.series.values[-1]) + 0.0


def findings(log: Log) -> Iterator[Finding]:
    """Yield at most one finding, none if the values stop being finite: that is divergence."""
    if nonfinite_tails(log) or nonfinite_again(log):
        return
    quality = quality_of(log)
    if quality is not None and quality.relative.max() > 1:
        return  # the samples change, whatever becomes of the losses
    losses = {name: series for name in LOSSES if (series := log.get(name, MIN_VALUES))}
    constant = {name: still for name, series in losses.items() if (still := _constant(series))}
    if losses and len(constant) == len(losses):
        yield _nothing_moves(log, constant)
    elif from_start := {
        name: still for name, still in constant.items() if not still.first and abs(still.value) >= MIN_MAGNITUDE
    }:
        yield _one_stands_still(log, *next(iter(from_start.items())))
    else:
        yield from _score_stands_still(log)


def _constant(series: Series) -> Constant | None:
    """Return since when a series has kept its last value, None if that is too short."""
    moved = np.flatnonzero(series.values != series.values[-1])
    still = Constant(series, int(moved[-1]) + 1 if len(moved) else 0)
    end, span = float(series.steps[-1]), float(series.steps[-1] - series.steps[0])
    is_long = len(series) - still.first >= MIN_VALUES and end - still.onset >= MIN_SUSTAINED_SHARE * span
    return still if is_long else None


def _is_zero(name: str, still: Constant) -> bool:
    """Return whether a constant loss is a D's that has won, which `balance` reports."""
    return name == "loss_d" and 0 <= still.value <= ZERO_LOSS


def _nothing_moves(log: Log, constant: Mapping[str, Constant]) -> Finding:
    onset = max(still.onset for still in constant.values())
    moving = [
        name
        for name in OTHER_SIGNALS
        if (series := log.get(name, 2)) and len(np.unique(series.values[series.steps >= onset])) > 1
    ]
    from_start = all(not still.first for still in constant.values())
    names = _join([still.series.raw for still in constant.values()])
    values = ", ".join(f"{still.value:.6g}" for still in constant.values())
    keep = "keep their" if len(constant) > 1 else "keeps its"
    n = min(len(still.series) - still.first for still in constant.values())
    which = ("first value" if from_start else "value") + ("s" if len(constant) > 1 else "")
    course = f"{names} {keep} {which} ({values}) to the end, {n} rows long"
    hints = "".join(f" {hint}" for name, still in constant.items() if (hint := _hint(name, still)))
    d, g = constant.get("loss_d"), constant.get("loss_g")
    has_won = d is not None and g is not None and _is_zero("loss_d", d) and abs(g.value) > ZERO_LOSS
    is_visible = max(abs(still.value) for still in constant.values()) >= MIN_MAGNITUDE
    if moving:
        summary = f"{course}, while {_join(moving)} moves on: what is logged is not what is trained on.{hints}"
    else:
        won = " D has won: its loss is 0 and G gets no gradient." if has_won else ""
        doubt = "" if is_visible else " More digits would show whether they move."
        summary = f"Nothing has moved since {log.format_step(onset)}: {course}.{won}{hints}{doubt}"
    sure = 0.8 if n >= MIN_SURE_VALUES else 0.6
    is_failure = not moving and len(constant) > 1 and is_visible
    return Finding(
        diagnosis=Failure.OVERPOWERING_DISCRIMINATOR if has_won and not moving else WIRING,
        horizon="now",
        severity="failure" if is_failure else "warning",
        confidence=sure if is_failure else 0.4,
        onset_step=int(onset),
        summary=summary,
        evidence={name: still.series.last_as_evidence(None) for name, still in constant.items()},
        remedy=WEAKEN_D if has_won and not moving else Remedy(advice=ADVICE),
    )


def _one_stands_still(log: Log, name: str, still: Constant) -> Finding:
    """Report a loss that is the same throughout while the other one moves."""
    player = name[-1].upper()
    hint = _hint(name, still)
    return Finding(
        diagnosis=WIRING,
        horizon="now",
        severity="warning",
        confidence=0.4,
        onset_step=int(still.onset),
        summary=(
            f"{still.series.raw} keeps its first value ({still.value:.6g}) to the end, while the other loss moves: "
            f"{player}'s loss does not depend on the samples, or is not what is logged." + (f" {hint}" if hint else "")
        ),
        evidence={name: still.series.last_as_evidence(None)},
        remedy=Remedy(advice=ADVICE),
    )


def _score_stands_still(log: Log) -> Iterator[Finding]:
    for name in SCORES:
        score = log.get(name, MIN_SCORES)
        if score is None or len(np.unique(score.values)) > 1:
            continue
        yield Finding(
            diagnosis=WIRING,
            horizon="now",
            severity="warning",
            confidence=0.5,
            onset_step=int(score.steps[0]),
            summary=(
                f"{score.raw} is the same at all {len(score)} evaluations ({score.values[-1]:.6g}): G does not change, "
                "or the same weights are evaluated again and again (an average that is never updated, a snapshot that "
                "is not reloaded)."
            ),
            evidence={name: score.last_as_evidence(None)},
            remedy=Remedy(advice="compare the weights that are evaluated before and after a step"),
        )
        return


def _hint(name: str, still: Constant) -> str:
    """Return what a constant loss of this value means, empty if nothing is known."""
    value = abs(still.value)
    clamp = next((text for at, text in CLAMPS.items() if abs(value / at - 1) <= CLAMP_TOLERANCE), None)
    if value == BCE_CLAMP:
        return f"{value:g} is where PyTorch's binary cross-entropy is cut off: D's outputs are saturated."
    if clamp:
        return (
            f"{still.value:.6g} is {clamp}, where the loss is clamped: no gradient passes, D's outputs are saturated."
        )
    if name == "loss_d" and any(abs(value / at - 1) <= CLAMP_TOLERANCE for at in CONSTANT_D_LOSSES):
        return f"A D whose output is the same for every sample has a loss of {value:.4g}."
    return ""


def _join(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
