"""What a history says by its last row: readings without units, comparable between data sets and losses.

Each is normalized by a floor (real against real) or by the data's own scale, so that thresholds transfer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import ganbench

Array = np.ndarray[Any, Any]

SAME_DISTANCE = 0.04  # decades, a tenth
RECENT_OBSERVATIONS = 3  # behind the present value of a signal
MOVING_DISTANCE = 0.3  # of two real samples, between two observations: G makes other samples each time
PATH_OBSERVATIONS = 8  # behind how samples move

DESCRIPTIONS = {
    "age": "share of the budget that is spent",
    "auc_d": "AUC of D on held-out data",
    "d_log_margin": "how far D's AUC is from its best possible, as -log10(1 - AUC)",
    "critic_gap": "AUC of a fresh critic beyond its floor and beyond that of D",
    "missed_by_d": "what D misses of what is wrong: the geometric mean of `critic_gap` and `coverage_deficit`",
    "lead_times_deficit": "how far ahead D is of a G that is behind: `d_log_margin` times `coverage_deficit`",
    "coverage_deficit": "share of the real data that G does not reach, beyond the floor",
    "empty_bins": "share of bins with far too few generated samples",
    "missed_region": (
        "how clearly G misses a region of the data, in standard errors: the lower one of the last two probes"
    ),
    "missed_share": "share of the data that G lacks in that region: the lower one of the last two probes",
    "distance": "log10 of the energy distance to held-out data, over the distance of two real samples",
    "distance_gain": "decades of energy distance gained since the probe before",
    "distance_gain_of_two": "decades of energy distance gained over the last two probes, unless it was nearer before",
    "spread": "log2 of the spread of generated samples over that of real ones",
    "log_motion": (
        "log10 of how far samples of fixed noise move between observations, over the distance of two real samples"
    ),
    "path_inefficiency": "share of their path that leads nowhere",
    "oscillation_index": (
        "samples that move in circles and are wrong: moving or not, times `path_inefficiency`, "
        "times what G does not reach"
    ),
    "memory_gap": "AUC of D on training data beyond that on held-out data",
    "copy_ratio": "how much nearer to training data generated samples lie than new ones do: -log2 of the ratio",
    "gain_with_smooth_d": "decades of energy distance that a smooth D gains over an unchanged one",
}


def read_evidence(history: ganbench.History) -> dict[str, float]:
    """Return every reading of `DESCRIPTIONS`; NaN for one that was not measured."""
    columns = history.columns
    steps = columns.get("step", np.empty(0))
    auc = recent(columns, "auc_d")
    coverage = _probes(columns, "coverage") / _floor(columns, "coverage")
    distance = np.log10(np.clip(_probes(columns, "energy_distance"), 1e-3, None))
    fresh, known = _last(_probes(columns, "fresh_critic_auc")), _last(_probes(columns, "known_critic_auc"))
    floor = max(0.5, _floor(columns, "fresh_critic_auc")) if np.isfinite(fresh) else np.nan
    smooth, unchanged = (_probes(columns, f"overpowering-discriminator.{way}") for way in ("smooth_d", "unchanged"))
    gap = _last(_probes(columns, "memory_gap"))
    known += max(gap, 0.0) if np.isfinite(gap) else 0.0  # what D has memorized, it does not miss
    critic_gap, coverage_deficit = fresh - floor - max(known - 0.5, 0.0), 1 - _last(coverage)
    empty_bins = _last(_probes(columns, "empty_bins"))
    speed, path_inefficiency = (
        recent(columns, "motion_speed", PATH_OBSERVATIONS),
        1 - recent(columns, "motion_progress"),
    )
    circling = _moving(speed) * max(path_inefficiency, 0.0)
    if "average_speed" in columns:  # what is used in the end may stand still while G circles around it
        speed_of_average = recent(columns, "average_speed") / _interval(history) ** 0.5  # whatever circles, diffuses
        circling = np.minimum(circling, _moving(speed_of_average) * max(1 - recent(columns, "average_progress"), 0.0))
    d_log_margin = -np.log10(max(1 - auc, 1e-3)) if np.isfinite(auc) else np.nan
    return {
        "age": float(steps[-1] / history.steps) if len(steps) else np.nan,
        "auc_d": auc,
        "d_log_margin": d_log_margin,
        "critic_gap": critic_gap,
        "missed_by_d": np.sqrt(max(critic_gap, 0.0) * max(coverage_deficit, 0.0))
        if np.isfinite(critic_gap + coverage_deficit)
        else np.nan,
        "lead_times_deficit": d_log_margin * max(coverage_deficit, 0.0)
        if np.isfinite(d_log_margin + coverage_deficit)
        else np.nan,
        "coverage_deficit": coverage_deficit,
        "empty_bins": empty_bins,
        "missed_region": _lower_of_two(_probes(columns, "missing_region_deviation")),
        "missed_share": _lower_of_two(_probes(columns, "missing_region")),
        "distance": _last(distance),
        "distance_gain": _gain(-distance),
        "distance_gain_of_two": _gain_of_two(distance),
        "spread": np.log2(np.clip(_last(_probes(columns, "spread")), 1e-3, 1e3)),
        "log_motion": np.log10(np.clip(speed, 1e-6, 1e6)),
        "path_inefficiency": path_inefficiency,
        "oscillation_index": circling * max(coverage_deficit, empty_bins, 0.0),
        "memory_gap": gap,
        "copy_ratio": -np.log2(np.clip(_last(_probes(columns, "nearest_training")), 1e-2, 1e2)),
        "gain_with_smooth_d": _last(np.log10(np.clip(unchanged, 1e-3, None)) - np.log10(np.clip(smooth, 1e-3, None))),
    }


def _moving(speed: float) -> float:
    """Whether samples of the same noise become other ones between two observations, from 0 to 1."""
    return float(1 / (1 + np.exp((MOVING_DISTANCE - speed) / (MOVING_DISTANCE / 4))))


def _interval(history: ganbench.History) -> float:
    """The usual distance between two observations, in fortieths of the budget."""
    steps = history.columns["step"]
    return float(np.median(np.diff(steps)) / history.steps * 40) if len(steps) > 1 else 1.0


def probed_rows(history: ganbench.History) -> Array:
    """Return the rows at which probes were made; all rows of a history without any."""
    probed = [name for name in ("coverage", "memory_gap", "known_critic_auc") if name in history.columns]
    if not probed:
        return np.arange(len(history.columns["step"]))
    return np.flatnonzero(np.isfinite(np.asarray(history.columns[probed[0]], dtype=float)))


def until(history: ganbench.History, row: int) -> ganbench.History:
    """Return the history as it was at `row`."""
    step = int(history.columns["step"][row])
    wiring = tuple(fault for fault in history.wiring if fault.step <= step)
    columns = {name: values[: row + 1] for name, values in history.columns.items()}
    return ganbench.History(columns, history.steps, wiring=wiring)


def recent(columns: Mapping[str, Array], name: str, n: int = RECENT_OBSERVATIONS) -> float:
    """Return the mean of a signal's last values; NaN without any."""
    values = _probes(columns, name)[-n:]
    return float(values.mean()) if len(values) else np.nan


def _probes(columns: Mapping[str, Array], name: str) -> Array:
    """The values that were measured."""
    values = np.asarray(columns.get(name, np.empty(0)), dtype=float)
    return values[np.isfinite(values)]


def _floor(columns: Mapping[str, Array], name: str) -> float:
    """The value of real samples; NaN if even they score nothing, being too few."""
    return _last(_probes(columns, f"{name}_floor")) or np.nan


def _last(values: Array) -> float:
    return float(values[-1]) if len(values) else np.nan


def _lower_of_two(values: Array) -> float:
    """The lower one of the last two probes; NaN before there are two."""
    return float(values[-2:].min()) if len(values) > 1 else np.nan


def _gain(values: Array) -> float:
    """How much the last probe is above the one before; 0 if there is no other."""
    return float(values[-1] - values[-2]) if len(values) > 1 else (0.0 if len(values) else np.nan)


def _gain_of_two(distance: Array) -> float:
    """How much nearer the last probe is than two before; 0 for samples that only come back from where they strayed to."""
    if len(distance) < 3:
        return np.nan
    gain = float(distance[-3] - distance[-1])
    return gain if distance[-1] <= distance[:-1].min() + SAME_DISTANCE else min(gain, 0.0)
