"""Whether G listens to its condition: what changes when conditions are exchanged between samples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from statistics import NormalDist

import numpy as np
import torch

import ganbench

from .calibrated import latest

MAX_SAMPLES = 256  # behind each measurement
MIN_SAMPLES = 8
MIN_GAIN = 0.05  # by which samples have to fit their own conditions better than others
MIN_AGE = 0.2  # of the budget: before, a G that does not listen yet is no news
STEADY_AGE = 0.5  # from which two probes that say so are a failure
SURE_ERRORS = 2.0  # standard errors of the gain
RISING = 1.1  # of the response two probes before: G may be learning to listen
MIN_RESPONSE = 0.05  # of the distance of two real samples, below which a rise says nothing
FALLING = 0.9  # of the distance to the data at the probe before: still learning
STILL_LEARNS = (
    " Its samples move with their conditions, and still came nearer to the data when the budget ended: with more steps it "
    "may pass."
)


class IgnoredCondition(ganbench.Diagnosis):
    """G's samples fit the conditions of other samples as well as their own. Only where the data has conditions.

    Held-out conditions are exchanged between samples while the noise stays. It measures, where they differ:

    - `response`: how far samples move, over the distance of two real samples.
    - `gain`: by how much nearer a sample is to the real one of its own condition than to that of the other; and its
      standard error, `gain_error`.
    - `diversity`: how far samples of one condition are apart under other noise, over the distance of two real samples;
      of a G with noise.
    """

    @staticmethod
    def failing_history() -> ganbench.History:
        """Return the history of a run whose samples never come to depend on their conditions."""
        values = {"response": [0.01, 0.02, 0.02], "gain": [0.001, -0.002, 0.0], "gain_error": [0.004, 0.004, 0.004]}
        columns = {_column(name): np.array(value) for name, value in values.items()}
        return ganbench.History({"step": np.array([100, 200, 300]), **columns}, 300)

    def probe(self, view: ganbench.View) -> dict[str, float]:
        """Return the measurements; nothing where the data has no conditions, or too few held-out samples."""
        n = min(MAX_SAMPLES, view.affordable, view.held_out_size)
        if view.data.condition is None or n < MIN_SAMPLES:
            return {}
        given, z = view.held_out(n), view.noise(n)
        others = given[torch.arange(n, device=given.x.device).roll(1)]
        assert given.condition is not None and others.condition is not None
        differ = (given.condition != others.condition).flatten(1).any(1)
        if int(differ.sum()) < MIN_SAMPLES:
            return {}
        made, exchanged = view.generate(z, given).x, view.generate(z, others).x

        def distances(some: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
            return (some - other)[differ].flatten(1).norm(dim=1).double()

        between_real = distances(given.x, others.x).mean().clamp_min(1e-12)
        to_other = distances(exchanged, given.x)
        nearer = (to_other - distances(made, given.x)) / to_other.mean().clamp_min(1e-12)
        measured = {
            "response": float(distances(made, exchanged).mean() / between_real),
            "gain": float(nearer.mean()),
            "gain_error": float(nearer.std() / len(nearer) ** 0.5),
        }
        if view.has_noise:
            again = view.generate(view.noise(n), given).x
            measured["diversity"] = float(distances(made, again).mean() / between_real)
        return measured

    def diagnose(self, history: ganbench.History) -> Iterator[ganbench.Finding]:
        """Yield a finding while samples fit their own conditions no better than others.

        G learns what samples look like before it learns which belong to a condition. Before the end of the budget it is a
        warning while the response still grows or samples still come nearer to the data; at the end while samples come nearer
        and do move with their conditions, no less than before. One of them alone says little: a G whose D does not see
        conditions spreads its samples, and so moves them further, and one that is not given them comes nearer to the data.
        """
        gains, errors = (
            np.asarray(history.columns.get(_column(name), ()), dtype=float) for name in ("gain", "gain_error")
        )
        rows: list[int] = np.flatnonzero(np.isfinite(gains)).tolist() if len(errors) else []
        if history.nonfinite is not None or not rows:
            return
        ignored = [row for row in rows if _probability(history, row) > 0.5 and _is_small(history, row)]
        steps = history.columns["step"]
        age = float(steps[-1]) / history.steps
        if not ignored or ignored[-1] != rows[-1] or age < MIN_AGE:
            return
        since = rows[-1]
        for row in rows[::-1]:
            if row not in ignored:
                break
            since = row
        nearer, growth = _comes_nearer(history), _response_growth(history, rows)
        still_learns = nearer and growth >= 1 if age >= 1 else nearer or growth >= RISING
        has_lasted = age >= 1 or (age >= STEADY_AGE and since != rows[-1])
        is_steady = has_lasted and not still_learns
        step = int(steps[rows[-1]])
        read = {name: latest(history, _column(name)) for name in ("response", "gain", "diversity")}
        yield ganbench.Finding(
            diagnosis=ganbench.IGNORED_CONDITION,
            horizon="now",
            severity="failure" if is_steady else "warning",
            confidence=round(_probability(history, rows[-1]), 3),
            onset_step=int(steps[since]),
            summary=(
                "The generator ignores its condition: a sample fits its own condition "
                f"{max(read['gain'] or 0.0, 0.0):.1%} better than another's, and exchanging conditions moves samples by "
                f"{read['response'] or 0.0:.0%} of the distance of two real ones."
                f"{STILL_LEARNS if still_learns and age >= 1 else ''}"
            ),
            evidence={
                name: ganbench.Evidence(value, MIN_GAIN if name == "gain" else None, step)
                for name, value in read.items()
                if value is not None
            },
            remedy=ganbench.Remedy(
                advice=(
                    "Give the condition to the discriminator as well, joined to the sample, so that a wrong pair looks "
                    "generated; or add a term that compares each sample with its real one."
                )
            ),
        )


def _column(name: str) -> str:
    return f"{ganbench.IGNORED_CONDITION}.{name}"


def _read(history: ganbench.History, row: int) -> Mapping[str, float]:
    return {name: float(history.columns[_column(name)][row]) for name in ("gain", "gain_error")}


def _response_growth(history: ganbench.History, rows: list[int]) -> float:
    """How many times its value two probes before the response is; 0 where it is next to nothing, or not known."""
    response = np.asarray(history.columns.get(_column("response"), ()), dtype=float)
    if len(rows) < 3 or len(response) <= rows[-1] or not response[rows[-1]] >= MIN_RESPONSE:
        return 0.0
    before = float(response[rows[-3]])
    return float(response[rows[-1]]) / max(before, MIN_RESPONSE) if math.isfinite(before) else 0.0


def _comes_nearer(history: ganbench.History) -> bool:
    """Whether samples were nearer to the data at each of the last three probes; whatever they make of conditions."""
    column = np.asarray(history.columns.get("energy_distance", ()), dtype=float)
    distance = column[np.isfinite(column)]
    return len(distance) >= 3 and bool(distance[-3] > distance[-2] and distance[-1] <= FALLING * distance[-2])


def _is_small(history: ganbench.History, row: int) -> bool:
    read = _read(history, row)
    return read["gain"] + SURE_ERRORS * read["gain_error"] < MIN_GAIN


def _probability(history: ganbench.History, row: int) -> float:
    """The probability that the gain is below `MIN_GAIN`."""
    read = _read(history, row)
    if not math.isfinite(read["gain_error"]):
        return 0.0
    return NormalDist(read["gain"], max(read["gain_error"], 1e-6)).cdf(MIN_GAIN)
