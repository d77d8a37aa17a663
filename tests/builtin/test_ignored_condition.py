"""A G that ignores its condition is named at the end; one that is still learning to listen is not said to have failed."""

from __future__ import annotations

import numpy as np
import pytest

import ganbench
from ganbench.builtin.diagnoses.condition import IgnoredCondition

DEAF = [0.02, 0.02, 0.021, 0.02, 0.02]  # how far samples move when conditions are exchanged, at five probes
LEARNING = [0.01, 0.04, 0.1, 0.2, 0.4]
FALLING, SETTLED = [1.0, 0.6, 0.4, 0.2, 0.1], [1.0, 0.4, 0.2, 0.2, 0.2]


def history(response, distance, *, probes=5, gain=0.01, budget=500):
    """A run that is probed at each fifth of its budget, and observed in between."""
    step = np.arange(50, 100 * probes + 1, 50)

    def at_probes(values):
        column = np.full(len(step), np.nan)
        column[1::2] = values[:probes]
        return column

    columns = {"response": at_probes(response), "gain": at_probes([gain] * 5), "gain_error": at_probes([0.004] * 5)}
    named = {f"{ganbench.IGNORED_CONDITION}.{name}": column for name, column in columns.items()}
    return ganbench.History({"step": step, "energy_distance": at_probes(distance), **named}, budget)


def severity(*args, **changes):
    found = list(IgnoredCondition().diagnose(history(*args, **changes)))
    return found[0].severity if found else None


@pytest.mark.parametrize("response, distance", [(DEAF, FALLING), (DEAF, SETTLED), ([0.0] * 5, FALLING)])
def test_a_generator_that_ignores_its_condition_is_a_failure_at_its_end_whatever_else_it_learns(response, distance):
    assert severity(response, distance) == "failure"


@pytest.mark.parametrize("distance", [SETTLED, [0.5, 1.2, 0.7, 1.1, 0.4]])
def test_samples_that_merely_move_further_are_a_failure_at_the_end(distance):
    assert severity(LEARNING, distance) == "failure"


@pytest.mark.parametrize("response", [LEARNING, [0.19, 0.27, 0.33, 0.32, 0.36]])
def test_a_generator_that_moves_with_its_condition_and_still_learns_at_its_end_is_a_warning(response):
    (found,) = IgnoredCondition().diagnose(history(response, FALLING))
    assert found.severity == "warning" and "with more steps it may pass" in found.summary


def test_either_sign_of_learning_makes_a_warning_before_the_end():
    assert severity(DEAF, FALLING, probes=4) == "warning"
    assert severity(LEARNING, SETTLED, probes=4) == "warning"
    assert severity(DEAF, SETTLED, probes=4) == "failure"


@pytest.mark.parametrize("response", [[0.4, 0.3, 0.2, 0.3, 0.1], [0.001, 0.002, 0.004, 0.008, 0.016]])
def test_a_response_that_falls_or_is_next_to_nothing_is_no_learning(response):
    assert severity(response, FALLING) == "failure"


def test_a_generator_that_fits_its_condition_is_not_named():
    assert severity(LEARNING, SETTLED, gain=0.3) is None
