"""Remedies on pictures: nothing that the run has, nothing that would make another kind of network of it."""

from __future__ import annotations

import pytest

from ganbench.contract.records import ComponentRef, Remedy
from ganbench.diagnosis.remedies import fit_remedies, fit_remedy
from ganbench.registry.registry import load_registry
from ganbench.testing.helpers.recordings import recording
from ganbench.zoo.treat.remedies import treated

CONV = {"generator": {"name": "conv", "width": 8}, "discriminator": {"name": "conv", "width": 8}}
PENALTIES = [{"name": "r1", "weight": 0.5}, {"name": "r2", "weight": 0.5}]
ADAM = {"name": "adam", "lr": 1e-3, "betas": [0.0, 0.9]}
REMEDY = Remedy(
    {
        "loss": "relativistic",
        "g_steps": 1,
        "optimizer": {"name": "adam", "lr": 0.002, "betas": [0.0, 0.9]},
        "points": {"generator": "mlp", "regularizers": [{"name": "r1", "weight": 0.05}]},
        "images": {"generator": "mlp", "discriminator": {"name": "mlp", "width": 192}, "regularizers": PENALTIES},
    }
)


@pytest.fixture
def fit(make_trial):
    def fitted(method, diagnosis="mode-collapse", remedy=REMEDY):
        trial = make_trial({"loss": "hinge", "optimizer": ADAM} | method, datasets={"digits": {}})
        registry = load_registry()
        found = fit_remedy(remedy, diagnosis, trial, registry)
        treated(trial, found, registry)  # a suite accepts it, it serves the trial, and it changes something
        return found.settings

    return fitted


def test_a_convolutional_gan_keeps_its_networks_and_the_learning_rate_that_its_players_share(fit):
    assert fit(CONV) == {"loss": "relativistic", "regularizers": PENALTIES}


def test_a_player_of_another_kind_gets_the_counterpart_of_the_other(fit):
    settings = fit({"generator": "mlp", "discriminator": {"name": "conv", "width": 8}})
    assert settings["generator"] == {"name": "conv", "width": 8} and "discriminator" not in settings


def test_plain_networks_are_recommended_to_plain_networks(fit):
    settings = fit({"generator": "mlp", "discriminator": "mlp"})
    assert settings["discriminator"] == {"name": "mlp", "width": 192} and "generator" not in settings


def test_penalties_that_are_there_are_not_advised_again_unless_they_are_weaker(fit):
    assert "regularizers" not in fit(
        {**CONV, "regularizers": [{"name": "r2", "weight": 0.5}, {"name": "r1", "weight": 2.0}]}
    )
    assert fit({**CONV, "regularizers": [{"name": "r1", "weight": 0.1}]})["regularizers"] == PENALTIES


@pytest.mark.parametrize(
    ("rates", "advised"),
    [((1e-2, 1e-4), 1e-2), ((1e-3, 1e-6), 1e-3), ((1e-1, 1e-3), 1e-3), ((1e-3, 2e-3), None)],
)
def test_rates_far_apart_become_the_one_of_them_that_is_nearer_to_what_is_usual(fit, rates, advised):
    g, d = ({"optimizer": ADAM | {"lr": rate}} for rate in rates)
    settings = fit({**CONV, "optimizer_g": g["optimizer"], "optimizer_d": d["optimizer"]})
    assert settings.get("optimizer", {}).get("lr") == advised


def test_another_optimizer_is_replaced(fit):
    settings = fit({**CONV, "optimizer": {"name": "sgd", "lr": 0.5, "momentum": 0.9}})
    assert settings["optimizer"] == {"name": "adam", "lr": 0.002, "betas": [0.0, 0.9]}


@pytest.mark.parametrize(
    ("diagnosis", "stronger"),
    [
        ("overpowering-discriminator", {"regularizers": [dict(p, weight=5.0) for p in PENALTIES]}),
        ("weak-discriminator", {"d_steps": 2}),
        ("mode-collapse", {"optimizer": ADAM | {"lr": 5e-4}}),
    ],
)
def test_a_run_that_has_everything_is_advised_something_stronger(fit, diagnosis, stronger):
    assert fit({**CONV, "loss": "relativistic", "regularizers": PENALTIES}, diagnosis) == stronger


def test_advice_without_settings_and_remedies_on_points_stay_as_they_are(make_trial):
    registry = load_registry()
    findings = list(registry.build("diagnosis", ComponentRef("mode-collapse")).diagnose(recording("mode-collapse")))
    points = make_trial({"loss": "hinge", "generator": "mlp", "discriminator": "mlp"})
    assert fit_remedies(findings, points, registry) == tuple(findings)
    advice = Remedy(advice="look at the data")
    assert fit_remedy(advice, "memorization", points, registry) == advice
