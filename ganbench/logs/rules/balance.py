"""One player too strong for the other, as far as D's mean outputs and the losses show it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from ...contract.records import Evidence, Finding, Remedy
from ..log import Array, Log, Series
from .divergence import sustained_from
from .quality import Quality, quality_of

FEWEST = 10  # values of a series below which it says nothing here
LONG = 0.3  # of the log: for so long a state must have held
# D's output on reals and on generated samples: above and below what it is never wrong, and the width of "at chance".
OUTPUTS = {"sign": (0.95, -0.95, 0.1), "d": (0.95, 0.05, 0.05)}
SHARES = {"auc_d": (0.99, 0.05), "accuracy_d": (0.99, 0.05)}
NOTHING_LEFT = 0.1  # a loss of D below is near its least, if it is a logistic, hinge or least-squares loss
LOGISTIC = (math.log(2), 2 * math.log(2))  # loss of a D that cannot tell: the mean of both terms, or their sum


def findings(log: Log) -> Iterator[Finding]:
    """At most one. A D that wins is no failure where the samples get better, nor one at chance where they are good."""
    quality = quality_of(log)
    if quality is not None and not quality.stands_still and quality.worse[-1] < 1.5:
        return
    stuck = quality if quality is not None and quality.stands_still else None
    if "input_gradient" not in log.series and (saturated := _saturated(log)):
        yield _overpowering(log, *saturated, stuck)
    elif stuck and "fresh_critic_auc" not in log.series and (chance := _at_chance(log)):
        yield _weak(log, chance, stuck)


def _saturated(log: Log) -> tuple[float, dict[str, Evidence], float] | None:
    """Since when D has won, from what, and how sure that is."""
    for kind, (high, low, _) in OUTPUTS.items():
        real, fake = log.get(f"{kind}_real", FEWEST), log.get(f"{kind}_fake", FEWEST)
        if real and fake and (onset := _both(real, real.values >= high, fake, fake.values <= low)) is not None:
            return onset, {f"{kind}_real": real.last(high), f"{kind}_fake": fake.last(low)}, 0.5
    for name, (high, _) in SHARES.items():
        share = log.get(name, FEWEST)
        if share and (onset := _both(share, _as_share(share.values) >= high)) is not None:
            return onset, {name: share.last(high)}, 0.5
    d, g = log.get("loss_d", FEWEST), log.get("loss_g", FEWEST)
    if not (d and g) or d.values.min() < 0:
        return None
    grown = max(2.0, 1.5 * abs(g.median(0.0, 0.1)))
    onset = _both(d, d.values <= NOTHING_LEFT, g, g.values >= grown)
    return None if onset is None else (onset, {"loss_d": d.last(NOTHING_LEFT), "loss_g": g.last(grown)}, 0.4)


def _both(a: Series, met: Array, b: Series | None = None, met_b: Array | None = None) -> float | None:
    """Since which step the conditions have held, where that is long enough."""
    onsets = []
    for series, condition in ((a, met), (b, met_b)):
        if series is not None and condition is not None:
            first = sustained_from(condition)
            if first is None or len(series) - first < FEWEST // 2:
                return None
            onsets.append(float(series.steps[first]))
    end, span = a.steps[-1], a.steps[-1] - a.steps[0]
    return max(onsets) if end - max(onsets) >= LONG * span else None


def _as_share(values: Array) -> Array:
    """Accuracies as shares of one: some logs write percent."""
    return values / 100 if values.max() > 1.5 else values


def _overpowering(
    log: Log, onset: float, evidence: Mapping[str, Evidence], confidence: float, stuck: Quality | None
) -> Finding:
    from_losses = "loss_d" in evidence
    what = "D's loss is near its least while G's has grown" if from_losses else "D is hardly ever wrong"
    beside = f" and {stuck.series.raw} stands still at {stuck.series.values[-1]:.4g}" if stuck else ""
    sure = "" if stuck else " A strong D alone is no failure: a quality score would tell."
    certain = stuck is not None and not from_losses
    return Finding(
        diagnosis="overpowering-discriminator",
        horizon="now",
        severity="failure" if certain else "warning",
        confidence=confidence + (0.25 if certain else 0.1 if stuck else 0.0),
        onset_step=int(onset),
        summary=f"{what} since {log.at(onset)}{beside}.{sure}",
        evidence={**evidence, **_of_quality(stuck)},
        remedy=Remedy.parse('regularizers = ["r1"], d_steps = 1'),
    )


def _at_chance(log: Log) -> dict[str, Evidence] | None:
    """What shows that D could not tell real from generated in any quarter of the log."""
    for kind, (_, _, width) in OUTPUTS.items():
        real, fake = log.get(f"{kind}_real", FEWEST), log.get(f"{kind}_fake", FEWEST)
        if real and fake and max(abs(r - f) for r, f in zip(_quarters(real), _quarters(fake), strict=True)) <= width:
            return {f"{kind}_real": real.last(None), f"{kind}_fake": fake.last(None)}
    for name, (_, width) in SHARES.items():
        share = log.get(name, FEWEST)
        if share and max(abs(q - 0.5) for q in _as_share(np.array(_quarters(share)))) <= width:
            return {name: share.last(0.5 + width)}
    d = log.get("loss_d", FEWEST)
    if d and any(max(abs(q / level - 1) for q in _quarters(d)) <= 0.02 for level in LOGISTIC):
        return {"loss_d": d.last(min(LOGISTIC, key=lambda level: abs(level - d.median())))}
    return None


def _quarters(series: Series) -> list[float]:
    return [float(np.median(part)) for part in np.array_split(series.values, 4)]


def _weak(log: Log, chance: Mapping[str, Evidence], stuck: Quality) -> Finding:
    onset = float(stuck.series.steps[0])
    return Finding(
        diagnosis="weak-discriminator",
        horizon="now",
        severity="warning" if "loss_d" in chance else "failure",
        confidence=0.4 if "loss_d" in chance else 0.6,
        onset_step=int(onset),
        summary=(
            f"D has told nothing apart from the first step to the last, while {stuck.series.raw} stands still at "
            f"{stuck.series.values[-1]:.4g}: its judgement teaches G nothing."
        ),
        evidence={**chance, **_of_quality(stuck)},
        remedy=Remedy.parse("d_steps = 2"),
    )


def _of_quality(stuck: Quality | None) -> dict[str, Evidence]:
    return {} if stuck is None else {stuck.name: stuck.series.last(None)}
