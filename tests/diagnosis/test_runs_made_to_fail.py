"""Each diagnosis fires on a run made to fail in its way, and is silent on a healthy one. Real training, no recordings."""

from __future__ import annotations

import numpy as np
import pytest

import ganbench
from ganbench import catalog as catalogs
from ganbench.diagnosis import verdicts
from ganbench.records import ComponentRef, History

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
    assert result.verdicts == ("healthy",)


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
    assert finding.onset_step <= 20 and finding.confidence > 0.9 and finding.horizon == "now"
    assert finding.evidence["auc_d"].value >= finding.evidence["auc_d"].threshold
    assert finding.evidence["input_gradient"].value < finding.evidence["input_gradient"].threshold
    assert "r1" in finding.remedy
    assert "weak-discriminator" not in found(result)


def test_a_discriminator_that_hardly_learns_is_weak(train):
    result = train({"loss": "non-saturating", **MLP, "optimizer_d": {"name": "adam", "lr": 1e-6}}, steps=300)
    finding = found(result)["weak-discriminator"]
    assert finding.evidence["unseen"].value > finding.evidence["unseen"].threshold
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
    assert finding.confidence == 1.0 and finding.onset_step == result.artifacts.history.breakdown.step
    assert result.verdicts[0] == "divergence"


def test_stop_on_ends_a_run_that_is_surely_lost(train):
    method = {"loss": "non-saturating", **MLP, "optimizer_d": {"name": "adam", "lr": 1e-6}}
    result = train(method, steps=400, stop_on=["weak-discriminator"])
    assert result.status == "stopped"
    assert result.steps < 400 and "weak-discriminator is certain" in result.reason
    assert f"{400 - result.steps} of 400 steps saved" in result.reason


def diagnosis(name: str, **options):
    return catalogs.load().build("diagnosis", ComponentRef(name, options))


def history(**columns) -> History:
    steps = np.arange(10, 1010, 10)
    return History(
        {"step": steps, **{k: np.broadcast_to(v, steps.shape).astype(float) for k, v in columns.items()}}, 1000
    )


def test_a_strong_d_with_a_live_gradient_is_no_failure():
    assert not list(diagnosis("overpowering-discriminator").diagnose(history(auc_d=1.0, input_gradient=0.5)))
    assert list(diagnosis("overpowering-discriminator").diagnose(history(auc_d=1.0, input_gradient=1e-5)))


def test_a_state_that_has_passed_is_no_finding_and_one_that_lasts_grows_surer():
    late, lasting = np.ones(100), np.ones(100)
    late[:90] = lasting[:50] = 0.6
    healed = np.r_[np.ones(60), np.full(40, 0.6)]
    over = diagnosis("overpowering-discriminator")
    assert not list(over.diagnose(history(auc_d=healed, input_gradient=1e-6)))
    (a,), (b,) = (over.diagnose(history(auc_d=auc, input_gradient=1e-6)) for auc in (late, lasting))
    assert (a.onset_step, b.onset_step) == (910, 510)
    assert 0.5 <= a.confidence < b.confidence == 1.0


def test_what_barely_crosses_its_threshold_is_less_sure_than_what_is_far_beyond():
    collapse = diagnosis("mode-collapse")
    (barely,), (far,) = (collapse.diagnose(history(coverage=c, coverage_floor=1.0)) for c in (0.79, 0.2))
    assert 0.5 < barely.confidence < 0.6 and far.confidence == 1.0


def test_coverage_is_read_against_its_floor():
    collapse = diagnosis("mode-collapse")
    assert not list(collapse.diagnose(history(coverage=0.7, coverage_floor=0.75)))
    (warning,) = collapse.diagnose(history(coverage=0.65, coverage_floor=0.75))
    (failure,) = collapse.diagnose(history(coverage=0.4, coverage_floor=0.75))
    assert (warning.severity, failure.severity) == ("warning", "failure")
    assert verdicts([warning]) == ("inconclusive",) and verdicts([failure, warning]) == ("mode-collapse",)


@pytest.mark.parametrize("name", ["overpowering-discriminator", "weak-discriminator", "mode-collapse", "divergence"])
def test_with_nothing_to_read_nothing_is_said(name):
    assert not list(diagnosis(name).diagnose(History({}, 100)))
    assert not list(diagnosis(name).diagnose(history(loss_d=np.nan)))
