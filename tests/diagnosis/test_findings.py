"""The one word for a run without a failure: nothing was found, too little was seen, or it was too short."""

from __future__ import annotations

import numpy as np
import pytest

import ganbench
from ganbench.diagnosis.findings import verdicts


def history(distances, steps=100, ends_at=100):
    """A run probed at equal distances, its energy distance at each; NaN at the observation after each."""
    at = np.linspace(ends_at / len(distances), ends_at, len(distances)).astype(int)
    rows = np.sort(np.concatenate([at, at - 1]))
    column = np.full(len(rows), np.nan)
    column[np.searchsorted(rows, at)] = distances
    return ganbench.History({"step": rows, "energy_distance": column}, steps)


@pytest.mark.parametrize(
    ("distances", "verdict"),
    [
        ((0.9, 0.6, 0.3, 0.12), "undertrained"),  # still falling, and far
        ((0.28, 0.24, 0.23, 0.19), "undertrained"),  # slowly
        ((0.9, 0.6, 0.03, 0.01), "no-failure-found"),  # falling, and near
        ((0.9, 0.6, 0.12, 0.115), "no-failure-found"),  # far, and at rest
        ((0.9, 0.1, 0.3, 0.12), "no-failure-found"),  # up and down
        ((0.9, 0.12), "no-failure-found"),  # two probes show no trend
        ((), "no-failure-found"),
    ],
)
def test_a_run_that_was_still_improving_far_from_the_data_is_undertrained(distances, verdict):
    assert verdicts([], history(distances) if distances else ganbench.History({}, 100)) == (verdict,)


def test_a_run_that_goes_on_is_not_called_undertrained():
    assert verdicts([], history((0.9, 0.6, 0.3, 0.12), ends_at=75)) == ("no-failure-found",)


def test_failures_come_before_age_and_what_was_not_probed_is_inconclusive():
    short = history((0.9, 0.6, 0.3, 0.12))
    failure = ganbench.Finding(
        diagnosis="mode-collapse",
        horizon="now",
        severity="failure",
        confidence=0.9,
        onset_step=3,
        summary="Modes are missing.",
        evidence={},
        remedy=ganbench.Remedy(advice="try again"),
    )
    assert verdicts([failure], short) == ("mode-collapse",)
    assert verdicts([], short, is_probed=False) == ("inconclusive",)
