"""From the ground truth of a run to its labels: which failures are there at which step, and at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import ganbench

PREFIX = "ground-truth."
FRACTIONS = (0.1, 0.25, 0.5, 0.75, 1.0)  # of the budget at which a run is labelled
FAILURES = tuple(failure.value for failure in ganbench.Failure)

MODES_OF_IMAGES: dict[tuple[int, ...], int] = {(1, 8, 8): 10, (3, 8, 8): 1000}  # by the shape of a sample

# Thresholds, each inclusive.
MISSING_SHARE, MISSING_SHARE_OF_MANY = 0.11, 0.25  # of modes: mode collapse; of many modes few runs reach all
MANY_MODES = 25
MIN_SPREAD = 0.25  # variance within a mode, over that of real samples, below which a mode is a point
MISSED_AUC = 0.2  # of a strong classifier beyond that of D: a weak D
STRONG_AUC = 0.95  # of a D that may be overpowering
RESCUED_SHARE = 0.5  # of the distance that is left after a fork with a smooth D: the D was overpowering
MEMORIZED_AUC = 0.2  # of D on training data beyond that on held-out data
MOVED_DISTANCE = 0.4  # in a twentieth of the budget, over that of two real samples: oscillation
CIRCLED_SHARE = 0.4  # of the path that leads nowhere: oscillation

# Of pictures, whose classes a classifier tells.
MISSING_SHARE_OF_CLASSES = 0.1  # one of ten
SAME_SHARE = 0.5  # of what G makes that it makes again and again: modes are points
LATE = 0.9  # of the budget: a class is missing at the end if it has been since then, at every look
NEARER_SHARE = 0.8  # of its distance that is left a quarter of the budget later: G is learning
MAX_CREDIBLE_SHARE = 0.5  # of its pictures while a G that is learning is young
MIN_REACH = 0.1  # of the distance of two real ones, in the whole budget: less is a G that its optimizer cannot move


def count_modes(data: ganbench.DataSpec) -> int:
    """Return how many modes data has whose ground truth is known."""
    return data.modes or MODES_OF_IMAGES.get(data.shape, data.classes)


@dataclass(frozen=True)
class Labels:
    """What is true of a run: the failures present at each fraction of its budget, and those that it ended with.

    A run on pictures that ends while it is young misses modes, and has not failed.
    """

    state: Mapping[float, frozenset[str]]
    end: frozenset[str]
    onset: Mapping[str, int]  # the first labelled step from which a failure that it ended with was there to the end

    @property
    def healthy(self) -> bool:
        """Whether the run ended well."""
        return not self.end


def labels(scores: pd.DataFrame, steps: int, status: str, n_modes: int, nonfinite_at: int | None = None) -> Labels:
    """Return the labels of a trial.

    Args:
        scores: Its rows of scores.csv.
        steps: Its budget.
        status: How it ended.
        n_modes: How many modes its data has.
        nonfinite_at: The step at which its numbers stopped being finite; None if they did not.

    Raises:
        ValueError: The trial has no ground truth, or none of its end.
    """
    truth = scores[scores["metric"].str.startswith(PREFIX)]
    if truth.empty and status != "diverged":
        raise ValueError("the trial has no scores of the metric 'ground-truth'")
    table = truth.pivot(index="step", columns="metric", values="value")
    table.columns = [name.removeprefix(PREFIX) for name in table.columns]
    if steps in table.index and _is_of_pictures(table.loc[[steps]].iloc[0]):
        late = table.loc[LATE * steps :, "missing"]
        table.loc[steps, "missing"] = late.min()
    state = {}
    for fraction in FRACTIONS:
        step = round(fraction * steps)
        if nonfinite_at is not None and step >= nonfinite_at:
            state[fraction] = frozenset({"divergence"})
        elif step in table.index:
            state[fraction] = _present(table, step, steps, n_modes)
    if 1.0 not in state and status != "diverged":
        raise ValueError("its ground truth was not measured at its end")
    end = frozenset({"divergence"}) if status == "diverged" else state.get(1.0, frozenset())
    if status != "diverged" and _is_young(table, steps):
        end -= {"mode-collapse"}
    return Labels(state, end, _onsets(state, end, steps, nonfinite_at))


def _present(table: pd.DataFrame, step: int, steps: int, n_modes: int) -> frozenset[str]:
    now: Any = table.loc[step]
    if unmeasured := [name for name in ("strong_auc", "d_auc", "gap") if not np.isfinite(now.get(name, np.nan))]:
        raise ValueError(f"its ground truth lacks {', '.join(unmeasured)} at step {step}")
    behind = _is_behind(now, n_modes)
    shrunk = n_modes <= MANY_MODES and now.get("spread", np.nan) < MIN_SPREAD  # of many, too few samples are credible
    shrunk |= now.get("same", np.nan) >= SAME_SHARE
    missed = now["strong_auc"] - max(0.5, now["d_auc"], now["d_auc"] + now["gap"])  # a D with a memory is not blind
    found = {
        "mode-collapse": behind or shrunk,
        "weak-discriminator": behind and missed >= MISSED_AUC and _can_move(now) and not _is_taught(table, step),
        "overpowering-discriminator": _can_move(now)
        and _is_ahead(now, n_modes)
        and _is_rescued(table, step, steps, n_modes),
        "memorization": now["gap"] >= MEMORIZED_AUC,
        "oscillation": behind and step == steps and now["moved"] >= MOVED_DISTANCE and now["circled"] >= CIRCLED_SHARE,
    }
    return frozenset(name for name, there in found.items() if there)


def _is_behind(row: pd.Series, n_modes: int) -> bool:
    """Whether G misses modes."""
    if _is_of_pictures(row):
        return bool(row["missing"] >= MISSING_SHARE_OF_CLASSES - 1e-9)
    return bool(row["missing"] >= (MISSING_SHARE if n_modes <= MANY_MODES else MISSING_SHARE_OF_MANY))


def _is_of_pictures(row: pd.Series) -> bool:
    """Whether a classifier told the modes: only there it is measured what G makes again and again."""
    return bool(np.isfinite(row.get("same", np.nan)))


def _can_move(row: pd.Series) -> bool:
    """Whether G's optimizer can move it: one that stands still, whatever D is like, is no evidence against D.

    Measured of pictures alone. Of points what D misses shows without G, and forks keep G's own optimizer.
    """
    return not row.get("reach", np.nan) < MIN_REACH


def _is_taught(table: pd.DataFrame, step: int) -> bool:
    """Whether G gets nearer to the data by the next time that all is measured; at the end, whether it just has.

    A strong classifier tells any picture of a short run from real ones: what D misses says nothing while G learns from it.
    """
    now: Any = table.loc[step]
    measured = list(table["d_auc"].dropna().index)
    if not _is_of_pictures(now) or len(measured) < 2:
        return False
    place = min(measured.index(step), len(measured) - 2)
    before, after = (table.loc[measured[i], "distance"] for i in (place, place + 1))
    nearest: float = table.loc[: measured[place], "distance"].min()
    return bool(after <= NEARER_SHARE * before and after < nearest)  # not back from where it had strayed to


def _is_young(table: pd.DataFrame, steps: int) -> bool:
    """Whether a run on pictures ended while it was still learning, few of its pictures being credible yet."""
    last: Any = table.loc[steps]
    return _is_of_pictures(last) and last["good"] <= MAX_CREDIBLE_SHARE and _is_taught(table, steps)


def _is_ahead(row: pd.Series, n_modes: int) -> bool:
    """Whether D is strong, against the G that it trains, and G behind: an average may be told where G itself is not."""
    in_training = row.get("d_auc_in_training", np.nan)
    d_auc = in_training if np.isfinite(in_training) else row["d_auc"]
    return bool(d_auc >= STRONG_AUC) and _is_behind(row, n_modes)


def _is_rescued(table: pd.DataFrame, step: int, steps: int, n_modes: int) -> bool:
    """Whether G improves under a smooth D: soon, or within half of the budget if D stays ahead until the middle.

    It is compared with how far the run itself has got by then.
    """
    now: Any = table.loc[step]
    middle = round(steps / 2)
    rescued = table["rescued_end"].dropna() if "rescued_end" in table else table["distance"][:0]
    if step > middle:
        return bool((rescued < RESCUED_SHARE * now["distance"]).any())
    later = table.loc[step:, "distance"]
    if now.get("rescued", np.nan) < RESCUED_SHARE * later.iloc[min(1, len(later) - 1)]:
        return True
    until_middle = table.loc[step:middle].dropna(subset="d_auc")
    stays_ahead = all(_is_ahead(row, n_modes) for _, row in until_middle.iterrows())
    return stays_ahead and bool((rescued[rescued.index == middle] < RESCUED_SHARE * table["distance"].iloc[-1]).any())


def _onsets(
    state: Mapping[float, frozenset[str]], end: frozenset[str], steps: int, nonfinite_at: int | None
) -> dict[str, int]:
    onsets = {}
    for failure in end:
        first = 1.0
        for fraction in sorted(state, reverse=True):
            if failure not in state[fraction]:
                break
            first = fraction
        onsets[failure] = nonfinite_at if failure == "divergence" and nonfinite_at else round(first * steps)
    return onsets
