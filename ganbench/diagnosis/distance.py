"""Whether a run in which no failure was found is far from the data all the same, by its scores and its probes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ..contract.failures import INCONCLUSIVE, UNDERTRAINED
from ..contract.records import Evidence, Finding, History, Remedy, Score
from .age import FAR, distance_of, is_falling, is_improving

TIMES_FLOOR = 30.0  # from which a distance is far, if all of them are
NEARLY_NOTHING = 0.05  # of its floor: so small a share of the data, or of the samples
TOLD_APART = 0.4  # AUC of a fresh critic beyond its floor, from which it nearly always tells samples from real ones
NOT_READ = ("ground-truth.",)  # scores that say what is true of a run of the zoo: no verdict is to know it
CONFIDENCE = 0.5
MAX_SHOWN = 3  # scores in a sentence
LONGER = "Train longer: give it more steps."
LONGER_OR_LARGER = (
    "Look at the samples. If the scores fall with more steps, the run was too short; if they do not, the networks may be "
    "too small for the data, or one of them too weak for the other."
)


def judge_distance(findings: Sequence[Finding], history: History, scores: Sequence[Score]) -> tuple[Finding, ...]:
    """Return a warning for a run to the end of its budget that is far from the data without a failure; else nothing.

    It is named "undertrained" if samples were still getting nearer, and "inconclusive" if not. Far is a run

    - that scores nearly nothing where real samples score much: recall 0.001, of 0.8; or
    - whose every distance is thirty times its floor or more, or that is far by its probes, while a fresh critic nearly
      always tells its samples from real ones. A multiple alone says little: with many samples floors are low.

    Args:
        findings: Of the run's diagnoses. A run with a failure needs no more words.
        history: Of the run.
        scores: Of the run; none of a log.
    """
    steps = np.asarray(history.columns.get("step", ()))
    if any((f.severity, f.horizon) == ("failure", "now") for f in findings) or not len(steps):
        return ()
    last = int(steps[-1])
    if last < history.steps or history.nonfinite is not None:
        return ()
    scores = [score for score in scores if not score.metric.startswith(NOT_READ)]
    final = [s for s in scores if s.step == last and math.isfinite(s.value) and 0 < s.floor < math.inf]
    tiny = [s for s in final if s.better == "higher" and s.value <= NEARLY_NOTHING * s.floor]
    distances = [s for s in final if s.better == "lower"]
    critic, floor = (_last(history, name) for name in ("fresh_critic_auc", "fresh_critic_auc_floor"))
    by_scores = bool(distances) and all(s.value >= TIMES_FLOOR * s.floor for s in distances)
    by_probes, told_apart = distance_of(history) >= FAR, critic - floor >= TOLD_APART
    far = bool(tiny) or ((by_scores or by_probes) and told_apart)
    if (far and _are_falling(scores, distances)) or (is_improving(history) and (far or by_probes)):
        diagnosis, advice = UNDERTRAINED, LONGER
        what = "Samples were still getting nearer to the data when the budget ended, and are far from it"
    elif far:
        diagnosis, advice = INCONCLUSIVE, LONGER_OR_LARGER
        what = "No failure shows, and samples are far from the data"
    else:
        return ()
    shown = [*tiny, *(distances if by_scores else ())]
    evidence = {s.metric: Evidence(s.value, s.floor, last) for s in shown}
    if by_probes:
        evidence["energy_distance"] = Evidence(distance_of(history), FAR, last)
    if told_apart:
        evidence["fresh_critic_auc"] = Evidence(critic, floor, last)
    told = list(_tell(tiny, distances if by_scores else (), evidence))[:MAX_SHOWN]
    found = Finding(
        diagnosis=diagnosis,
        horizon="now",
        severity="warning",
        confidence=CONFIDENCE,
        onset_step=last,
        summary=f"{what}: {'; '.join(told)}.",
        evidence=evidence,
        remedy=Remedy(advice=advice),
    )
    return (found,)


def _are_falling(scores: Sequence[Score], distances: Sequence[Score]) -> bool:
    """Whether every distance that was scored often enough to tell still fell at the end; False if none was."""
    courses = [[s.value for s in scores if s.metric == distance.metric] for distance in distances]
    courses = [values for values in courses if len(values) >= 3]
    return bool(courses) and all(is_falling(values) for values in courses)


def _tell(tiny: Sequence[Score], distances: Sequence[Score], evidence: Mapping[str, Evidence]) -> Iterator[str]:
    for score in tiny:
        yield f"{score.metric} is {score.value:.2g}, and {score.floor:.2g} of real samples"
    for score in distances:
        yield f"{score.metric} is {score.value / score.floor:.0f} times its floor"
    if critic := evidence.get("fresh_critic_auc"):
        yield f"a fresh critic tells them from real ones with an AUC of {critic.value:.2f}"
    if distance := evidence.get("energy_distance"):
        yield f"their energy distance is {distance.value:.2f} of the distance of two real ones"


def _last(history: History, column: str) -> float:
    values = np.asarray(history.columns.get(column, ()), dtype=float)
    finite = values[np.isfinite(values)]
    return float(finite[-1]) if len(finite) else math.nan
