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


def test_signs_and_held_out_logits_of_d_are_those_of_adaptive_augmentation():
    assert predict("literature: signs of D (r_t)", sign_d=0.7).score["now"] == pytest.approx(0.7)
    logits = {"mean_logit_train": 2.0, "mean_logit_held_out": 0.5, "mean_logit_fake": -1.0}
    prediction = predict("literature: D on held-out data (r_v)", **logits)
    assert prediction.score["now"] == pytest.approx(0.5) and prediction.findings
    assert not predict("literature: D on held-out data (r_v)", **logits | {"mean_logit_held_out": 1.9}).findings


def test_gradients_that_have_fallen_by_a_decade_are_suspect():
    rule = RULE["literature: gradient x steepness"]
    gradient = np.concatenate([np.full(10, 2.0), np.full(10, 0.02)])
    history = History({"step": STEPS, "input_gradient": gradient, "steepness": np.full(20, 3.0)}, 20)
    assert rule.predict(history, "mode-collapse").score["now"] == pytest.approx(2.0)
    assert not predict(rule.name, input_gradient=2.0, steepness=3.0).findings


@pytest.mark.parametrize("name", [name for name in RULE if name != "heuristic: G loss rising"])
def test_a_rule_without_its_signal_suspects_nothing(name):
    prediction = predict(name)
    assert set(prediction.score.values()) == {-np.inf} and not prediction.findings
