"""Rules of thumb and of the literature score what they say that they read."""

from __future__ import annotations

import numpy as np
import pytest

from ganbench import History
from ganbench.zoo.score.heuristics import RULES

STEPS = np.arange(1, 21)
RULE = {rule.name: rule for rule in RULES}


def predict(name: str, **columns: float):
    arrays = {signal: np.full(20, value) for signal, value in columns.items()}
    return RULE[name].predict(History({"step": STEPS, **arrays}, 20), "mode-collapse")


@pytest.mark.parametrize(
    "d_real, d_fake, generator, discriminator",
    [(0.5, 0.5, 0.0, 0.0), (0.99, 0.01, 0.49, 0.49), (0.7, 0.3, 0.2, 0.2), (0.95, 0.95, 0.45, 0.0)],
)
def test_scores_of_the_literature_are_distances_from_one_half(d_real, d_fake, generator, discriminator):
    for name, expected in (("generator", generator), ("discriminator", discriminator)):
        prediction = predict(f"literature: {name} score", d_real=d_real, d_fake=d_fake)
        assert prediction.score == pytest.approx({"now": expected, "end": expected})
        assert bool(prediction.findings) == (expected >= 0.4)


@pytest.mark.parametrize("name", [name for name in RULE if name != "heuristic: G loss rising"])
def test_a_rule_without_its_signal_suspects_nothing(name):
    prediction = predict(name)
    assert set(prediction.score.values()) == {-np.inf} and not prediction.findings
