"""Each diagnosis finds a run made to fail in its way, and nothing in a healthy one; with real training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import ganbench
from ganbench.contract.records import ComponentRef, History
from ganbench.diagnosis.findings import apply_diagnoses, verdicts
from ganbench.registry.registry import load_registry
from ganbench.suite.parse import parse_method
from ganbench.testing.helpers.recordings import recording
from ganbench.zoo.ground_truth.labels import FAILURES

MLP = {"generator": "mlp", "discriminator": "mlp"}
RING = {"ring": {"dataset": {"name": "ring", "sigma": 0.05}}}

FAR = '''
class Far(nn.Module):
    """G whose samples start six data widths away: D has all the time in the world."""
    latent_dim = 4
    def __init__(self, data):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 2))
    def forward(self, z, labels=None):
        return self.net(z) + 6

@ganbench.hookimpl
def ganbench_generators():
    yield ganbench.Component("far", Far)
'''

HEALTHY = {
    "loss": "relativistic",
    **MLP,
    "regularizers": [{"name": "r1", "weight": 0.1}, {"name": "r2", "weight": 0.1}],
    "optimizer": {"name": "adam", "lr": 2e-3, "betas": [0.0, 0.9]},
}


def found(result: ganbench.TrialResult) -> dict[str, ganbench.Finding]:
    assert result.status in ("done", "diverged"), result.reason
    return {f.diagnosis: f for f in result.findings if f.severity == "failure"}


@pytest.fixture
def train(make_trial, run_here):
    def run(method, steps=800, files=(), **training):
        options = {"batch_size": 128, "ema": 0.99, "lr_decay": "cosine"} | training
        return run_here(make_trial(method, datasets=RING, steps=steps, samples=1000, files=files, **options))

    return run


def test_a_healthy_run_is_called_healthy(train):
    result = train(HEALTHY, steps=1200)
    scores = {s.metric: s.value for s in result.scores}
    assert scores["modes.covered"] == 8, "the control itself must be healthy"
    assert result.findings == ()
    assert result.verdicts == ("no-failure-found",)


def test_a_discriminator_trained_far_ahead_of_a_saturating_generator_overpowers_it(train, plugin_file):
    method = {
        "loss": "minimax",
        "generator": "far",
        "discriminator": "mlp",
        "d_warmup": 800,
        "d_steps": 3,
        "optimizer_d": {"name": "adam", "lr": 1e-2},
        "optimizer_g": {"name": "sgd", "lr": 1e-2, "momentum": 0.9},
    }
    result = train(method, steps=200, files=plugin_file(FAR), lr_decay="constant")
    finding = found(result)["overpowering-discriminator"]
    assert finding.onset_step <= 20 and finding.confidence > 0.8 and finding.horizon == "now"
    assert finding.evidence["auc_d"].value >= 0.99
    assert finding.evidence["d_log_margin"].value > finding.evidence["d_log_margin"].threshold
    assert "r1" in str(finding.remedy)
    assert "weak-discriminator" not in found(result)


def test_a_discriminator_that_hardly_learns_is_weak(train):
    result = train({"loss": "non-saturating", **MLP, "optimizer_d": {"name": "adam", "lr": 1e-6}}, steps=300)
    finding = found(result)["weak-discriminator"]
    assert finding.evidence["missed_by_d"].value > finding.evidence["missed_by_d"].threshold
    assert finding.evidence["fresh_critic_auc"].value > finding.evidence["known_critic_auc"].value + 0.3
    assert "overpowering-discriminator" not in found(result)


def test_a_generator_that_runs_ahead_of_d_drops_modes(train):
    method = {
        "loss": "non-saturating",
        **MLP,
        "optimizer_g": {"name": "adam", "lr": 1e-2},
        "optimizer_d": {"name": "adam", "lr": 1e-4},
    }
    result = train(method, steps=400, lr_decay="constant")
    assert {s.metric: s.value for s in result.scores}["modes.covered"] < 8, "modes must really be missing"
    finding = found(result)["mode-collapse"]
    assert finding.evidence["coverage"].value < finding.evidence["coverage"].threshold
    assert "mode-collapse" in result.verdicts


def test_momentum_at_a_huge_learning_rate_diverges(train):
    method = {"loss": "wasserstein", **MLP, "optimizer": {"name": "sgd", "lr": 50.0, "momentum": 0.9}}
    result = train(method, steps=200)
    assert result.status == "diverged"
    finding = found(result)["divergence"]
    assert finding.confidence == 1.0 and finding.onset_step == result.artifacts.history.nonfinite.step
    assert result.verdicts[0] == "divergence"


def test_stop_on_ends_a_run_with_a_certain_failure(train):
    method = {"loss": "non-saturating", **MLP, "optimizer_d": {"name": "adam", "lr": 1e-6}}
    result = train(method, steps=400, stop_on=["weak-discriminator"])
    assert result.status == "stopped"
    assert result.steps < 400 and "weak-discriminator is certain" in result.reason
    assert f"{400 - result.steps} of 400 steps saved" in result.reason


def diagnosis(name: str, **options):
    return load_registry().build("diagnosis", ComponentRef(name, options))


def history(steps=1000, **columns) -> History:
    """A run observed every 50 steps, every signal constant unless it is given as an array of 20."""
    rows = np.arange(50, 1050, 50)
    made = {name: np.broadcast_to(np.asarray(value, dtype=float), rows.shape) for name, value in columns.items()}
    return History({"step": rows, **made}, steps)


LOST = {"coverage": 0.1, "empty_bins": 0.8, "energy_distance": 1.0, "spread": 0.3}
FINE = {"coverage": 0.97, "empty_bins": 0.0, "energy_distance": 0.01, "spread": 1.0}


def _probed(**values):
    return values | {"coverage_floor": 0.98}


def test_a_state_that_lasts_is_a_failure_since_its_onset_and_one_that_is_over_is_not():
    collapse = diagnosis("mode-collapse")
    late = {name: np.r_[np.full(10, FINE[name]), np.full(10, LOST[name])] for name in LOST}
    healed = {name: values[::-1] for name, values in late.items()}
    (finding,) = collapse.diagnose(history(**_probed(**late)))
    assert (finding.severity, finding.horizon, finding.onset_step) == ("failure", "now", 550)
    assert finding.evidence["coverage"] == ganbench.Evidence(0.1, 0.98, 1000)
    assert not list(collapse.diagnose(history(**_probed(**healed))))


@pytest.mark.parametrize("coverage", [np.nan, 1.0])  # none of few samples; more than the floor, by chance
def test_a_collapse_is_said_without_a_share_where_none_could_be_measured(coverage):
    lost = {"empty_bins": 1.0, "energy_distance": 10.0, "spread": 0.01, "coverage_floor": 0.98}
    (finding,) = diagnosis("mode-collapse").diagnose(history(**lost, coverage=coverage))
    assert finding.summary == "The generator does not reach a part of the real data: modes are missing."


def test_a_region_that_is_missed_at_two_probes_is_a_missing_class():
    collapse = diagnosis("mode-collapse")
    region = {"missing_region": 0.06, "missing_region_deviation_floor": 1.0}
    (finding,) = collapse.diagnose(history(**_probed(**FINE), **region, missing_region_deviation=5.8))
    assert (finding.severity, finding.horizon) == ("failure", "now")
    assert "5.8 standard errors too few" in finding.summary and "6.0%" in finding.summary
    assert finding.evidence["missing_region_deviation"] == ganbench.Evidence(5.8, 1.0, 1000)
    late = np.r_[np.full(18, 1.0), 5.8, 5.9]
    (finding,) = collapse.diagnose(history(**_probed(**FINE), **region, missing_region_deviation=late))
    assert finding.onset_step == 1000


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({"missing_region_deviation": 3.6}, id="as far as chance goes"),
        pytest.param({"missing_region_deviation": 6.0, "missing_region": 0.03}, id="a small region"),
        pytest.param({"missing_region_deviation": np.r_[np.full(19, 1.0), 6.0]}, id="at one probe"),
        pytest.param({"missing_region_deviation": 9.0, "energy_distance": 0.2}, id="far from the data"),
    ],
)
def test_a_region_that_may_be_missed_by_chance_or_youth_is_no_failure(columns):
    assert not list(
        diagnosis("mode-collapse").diagnose(history(**_probed(**FINE | {"missing_region": 0.07} | columns)))
    )


def test_a_young_run_gets_a_warning_until_two_probes_forecast_that_it_stays():
    collapse = diagnosis("mode-collapse")
    once = {name: np.r_[np.full(19, FINE[name]), LOST[name]] for name in LOST}
    (warning,) = collapse.diagnose(history(steps=2000, **_probed(**once)))
    assert (warning.severity, warning.horizon) == ("warning", "now")
    assert verdicts([warning], history()) == ("inconclusive",)
    young = list(collapse.diagnose(history(steps=10_000, **_probed(**LOST))))
    assert {finding.severity for finding in young} == {"warning"}
    now, end = collapse.diagnose(history(steps=2000, **_probed(**LOST)))
    assert (now.horizon, now.severity) == ("now", "failure")
    assert (end.horizon, end.severity) == ("end", "failure")
    assert end.summary.startswith("Expected at the end of the budget: ")


@pytest.mark.parametrize("name", ["mode-collapse", "weak-discriminator"])
def test_a_run_whose_distance_still_halves_when_it_ends_has_not_failed_yet(name):
    blind = {"auc_d": 0.5, "known_critic_auc": 0.5, "fresh_critic_auc": 1.0, "fresh_critic_auc_floor": 0.5}
    at_probes = np.arange(20) % 5 == 4
    probed = {n: np.where(at_probes, v, np.nan) for n, v in (_probed(**LOST, motion_speed=1.0) | blind).items()}

    def end(*distances):
        course = np.full(20, np.nan)
        course[at_probes] = distances
        return history(**probed | {"energy_distance": course})

    for distances, severity in (
        ((8.0, 4.0, 2.0, 0.9), "warning"),
        ((8.0, 4.0, 2.0, 1.2), "failure"),  # slowly
        ((0.5, 2.0, 3.0, 0.9), "failure"),  # it only comes back from where it strayed to
    ):
        (finding,) = diagnosis(name).diagnose(end(*distances))
        assert finding.severity == severity
        assert ("with more steps it may pass" in finding.summary) == (severity == "warning")
    assert verdicts(list(diagnosis(name).diagnose(end(8.0, 4.0, 2.0, 0.9))), end(8.0, 4.0, 2.0, 0.9)) == (
        "undertrained",
    )


@pytest.mark.parametrize("name", ["mode-collapse", "weak-discriminator"])
@pytest.mark.parametrize(
    ("distances", "severity", "told"),
    [
        pytest.param((2.0, 0.9), "warning", "with more steps it may pass", id="it halved between the only two"),
        pytest.param((2.0, 1.5), "failure", "", id="it did not"),
        pytest.param((0.9,), "warning", "A single probe was made", id="the only one"),
    ],
)
def test_a_state_seen_at_too_few_probes_to_know_whether_g_still_learns_is_a_warning(name, distances, severity, told):
    blind = {"auc_d": 0.5, "known_critic_auc": 0.5, "fresh_critic_auc": 1.0, "fresh_critic_auc_floor": 0.5}
    probed = np.r_[np.full(20 - len(distances), np.nan), distances]
    columns = {n: np.where(np.isfinite(probed), v, np.nan) for n, v in (_probed(**LOST, **blind)).items()}
    seen = history(**columns | {"energy_distance": probed, "motion_speed": 1.0})
    (finding,) = diagnosis(name).diagnose(seen)
    assert finding.severity == severity and told in finding.summary


CIRCLES = {"motion_speed": 0.5, "motion_progress": 0.1, "coverage": 0.4, "empty_bins": 0.5}


def test_motion_that_leads_nowhere_is_oscillation_where_quality_suffers_from_it():
    oscillation = diagnosis("oscillation")
    (finding,) = oscillation.diagnose(history(**_probed(**CIRCLES), energy_distance=0.8))
    assert (finding.severity, finding.horizon) == ("failure", "now")
    assert not list(oscillation.diagnose(history(**_probed(**CIRCLES), energy_distance=0.05)))  # as near as others get
    falling = np.geomspace(80, 0.8, 20)
    probed = np.where(np.arange(20) % 5 == 4, falling, np.nan)  # at a quarter of the budget each
    assert not list(oscillation.diagnose(history(**_probed(**CIRCLES), energy_distance=probed)))
    probed[4] = 0.5  # it was nearer before, and only comes back
    assert list(oscillation.diagnose(history(**_probed(**CIRCLES), energy_distance=probed)))


def test_a_g_that_circles_around_an_average_that_stands_still_is_no_oscillation():
    oscillation, circles = diagnosis("oscillation"), _probed(**CIRCLES)
    still, moving = ({"average_speed": speed, "average_progress": 0.1} for speed in (0.1, 0.6))
    assert not list(oscillation.diagnose(history(**circles, **still, energy_distance=0.8)))
    assert list(oscillation.diagnose(history(**circles, **moving, energy_distance=0.8)))


def test_no_onset_lies_before_the_generator_has_moved():
    still = np.r_[np.zeros(4), np.full(16, 0.3)]
    (finding,) = diagnosis("mode-collapse").diagnose(history(**_probed(**LOST), motion_speed=still))
    assert finding.onset_step == 250


def test_worse_signals_give_higher_scores():
    weak = diagnosis("weak-discriminator")
    surer = [
        weak.score(
            history(
                **_probed(coverage=c),
                auc_d=0.5,
                known_critic_auc=0.5,
                fresh_critic_auc=f,
                fresh_critic_auc_floor=0.5,
                motion_speed=0.1,
            ),
            "now",
        )
        for c, f in ((0.97, 0.6), (0.6, 0.8), (0.1, 1.0))
    ]
    assert surer == sorted(surer)
    assert surer[0] < 0.5 < surer[-1]


def test_a_strong_d_alone_is_no_failure():
    over = diagnosis("overpowering-discriminator")
    strong = {"auc_d": 1.0, "input_gradient": 0.5, "motion_speed": 0.1, "energy_distance": 0.01}
    assert not list(over.diagnose(history(**strong, **_probed(coverage=0.97))))
    stuck = strong | {"motion_speed": 1e-4, "energy_distance": 10.0}
    (finding,) = over.diagnose(history(**stuck, **_probed(coverage=0.0)))
    assert (finding.severity, finding.diagnosis) == ("failure", "overpowering-discriminator")


def test_a_g_that_a_bug_keeps_from_learning_is_no_sign_of_a_d_that_is_too_strong():
    over = diagnosis("overpowering-discriminator")
    stuck = {"auc_d": 1.0, "motion_speed": 1e-4, "energy_distance": 10.0} | _probed(coverage=0.0)
    for player, accused in (("generator", False), ("discriminator", True)):
        seen = replace(history(**stuck), wiring=(ganbench.WiringFault("below-resolution", player, 20),))
        assert bool(list(over.diagnose(seen))) == accused == (over.score(seen, "now") > 0)


def test_with_less_than_half_of_the_signals_nothing_is_found():
    assert not list(diagnosis("overpowering-discriminator").diagnose(history(motion_speed=1e-5)))
    assert diagnosis("weak-discriminator").score(history(auc_d=0.5), "now") == 0.0


def test_a_failure_that_follows_from_another_names_it():
    made = {name: diagnosis(name) for name in ("mode-collapse", "weak-discriminator")}
    blind = {"auc_d": 0.5, "known_critic_auc": 0.5, "fresh_critic_auc": 1.0, "fresh_critic_auc_floor": 0.5}
    found = apply_diagnoses(made, history(**_probed(**LOST), **blind, motion_speed=1.0))
    by_name = {finding.diagnosis: finding for finding in found}
    assert by_name["mode-collapse"].cause == "weak-discriminator"
    assert by_name["weak-discriminator"].cause == ""


@pytest.mark.parametrize("name", FAILURES)
def test_remedies_are_settings_that_a_suite_accepts(name):
    finding = next(f for f in diagnosis(name).diagnose(recording(name)) if f.severity == "failure")
    assert ganbench.Remedy.parse(str(finding.remedy)) == finding.remedy
    assert parse_method(finding.remedy.settings, "remedy")


@pytest.mark.parametrize("name", FAILURES)
def test_an_empty_history_has_no_findings(name):
    assert not list(diagnosis(name).diagnose(History({}, 100)))
    assert not list(diagnosis(name).diagnose(history(loss_d=np.nan)))
