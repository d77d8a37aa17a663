"""The training loop does what the textbook says, the same way every time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ganbench
from ganbench.registry.registry import load_registry
from ganbench.training.game import GAN
from ganbench.training.optimizers import decay_factor
from ganbench.training.seeding import seed_for
from ganbench.trial import LiveTrial

CONV = {
    "generator": {"name": "conv", "width": 8},
    "discriminator": {"name": "conv", "width": 8, "normalization": "spectral"},
    "regularizers": ["r1", "dragan"],
}


def live(trial: ganbench.Trial) -> LiveTrial:
    registry = load_registry(trial.plugin_files)
    return LiveTrial.build(trial, registry.build("dataset", trial.components.dataset), registry, torch.device("cpu"))


def same(ours: ganbench.TrialResult, theirs: ganbench.TrialResult) -> bool:
    a, b = ours.artifacts.weights, theirs.artifacts.weights
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("method, data", [({}, None), (CONV, ["digits"])], ids=["ring", "digits"])
def test_the_same_trial_twice_is_bit_identical(make_trial, run_here, method, data):
    more = {"datasets": data, "metrics": ["energy-distance"]} if data else {}
    trial = make_trial(method, ema=0.9, **more)
    first, second = run_here(trial), run_here(trial)
    assert first.status == "done", first.reason
    assert same(first, second)
    for name, column in first.artifacts.history.columns.items():
        np.testing.assert_array_equal(column, second.artifacts.history.columns[name])
    assert [s.value for s in first.scores] == [s.value for s in second.scores]
    assert first.findings == second.findings


@pytest.mark.parametrize("method, data", [({}, None), (CONV, ["digits"])], ids=["ring", "digits"])
def test_observing_changes_nothing(make_trial, run_here, method, data):
    more = {"datasets": data, "metrics": ["energy-distance"]} if data else {}
    silent = run_here(make_trial(method, diagnoses=[], at=(1.0,), **more))
    watched = run_here(make_trial(method, diagnoses="all", at=(0.3, 0.6, 1.0), **more))
    assert "auc_d" in watched.artifacts.history.columns and "auc_d" not in silent.artifacts.history.columns
    assert same(silent, watched)


def test_observing_changes_nothing_for_a_network_that_draws_and_counts(make_trial, run_here, plugin_file):
    """Dropout reads torch's global stream and batch normalization keeps counts: both are left as they were."""
    files = plugin_file('''
class Drop(nn.Module):
    """D with dropout and batch normalization."""
    def __init__(self, data, *, width: int = 16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(2, width), nn.BatchNorm1d(width), nn.Dropout(0.3), nn.ReLU(), nn.Linear(width, 1)
        )
    def forward(self, x, labels=None):
        return self.net(x).squeeze(1)

@ganbench.hookimpl
def ganbench_discriminators():
    yield ganbench.Component("drop", Drop)
''')
    method = {"discriminator": "drop"}
    silent = run_here(make_trial(method, diagnoses=[], files=files))
    watched = run_here(make_trial(method, diagnoses="all", files=files))
    assert silent.status == watched.status == "done"
    assert same(silent, watched)


def test_seeds_differ_and_nothing_global_is_left_behind(make_trial, run_here):
    torch.manual_seed(7)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    one, other = run_here(make_trial(seed=0)), run_here(make_trial(seed=1))
    assert not same(one, other)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_num_threads() == threads


def test_the_global_seed_of_the_caller_does_not_matter(make_trial, run_here):
    trial = make_trial({"regularizers": ["gradient-penalty"]})
    torch.manual_seed(1)
    first = run_here(trial)
    torch.manual_seed(2)
    assert same(first, run_here(trial))


def test_g_is_frozen_while_d_learns_and_d_while_g_learns(make_trial):
    gan: GAN = live(make_trial()).gan
    g, d = (list(network.parameters()) for network in (gan.generator, gan.discriminator))
    before = [weight.clone() for weight in g]
    gan.train_discriminator()
    assert all(weight.grad is None for weight in g)
    assert all(torch.equal(old, new) for old, new in zip(before, g, strict=True))
    assert all(weight.grad is not None for weight in d)

    gan.optimizer_d.zero_grad()
    before = [weight.clone() for weight in d]
    gan.train_generator()
    assert all(weight.grad is None for weight in d)
    assert all(torch.equal(old, new) for old, new in zip(before, d, strict=True))
    assert all(weight.grad is not None for weight in g)
    assert all(weight.requires_grad for weight in d)


def test_d_steps_and_g_steps_set_the_ratio_of_updates(make_trial):
    gan = live(make_trial(d_steps=3, g_steps=2, d_warmup=5)).gan
    turns = []
    gan.train_discriminator = lambda: turns.append("d") or torch.zeros(())
    gan.train_generator = lambda: turns.append("g") or torch.zeros(())
    gan.warm_up()
    gan.step()
    assert "".join(turns) == "ddddd" + "dddgg"


def test_a_captured_state_goes_on_as_if_nothing_had_been(make_trial):
    gan = live(make_trial({"regularizers": ["dragan"]}, ema=0.9, lr_decay="cosine")).gan
    gan.step()
    state = gan.state_dict()
    first = [gan.step() for _ in range(3)][-1]
    gan.load_state_dict(state)
    again = [gan.step() for _ in range(3)][-1]
    assert gan.steps_done == 4
    assert first == again


def test_lazy_regularization_acts_every_nth_update_with_the_same_strength(make_trial):
    gan = live(make_trial({"regularizers": [{"name": "r1", "weight": 2.0, "every": 4}]})).gan
    (penalty, every), seen = gan._penalties_d[0], []
    gan._penalties_d = [(lambda *a: seen.append(gan.d_updates) or penalty(*a), every)]
    for _ in range(9):
        gan.train_discriminator()
    assert every == 4
    assert seen == [0, 4, 8]


def test_weight_clipping_bounds_d_after_each_of_its_steps(make_trial):
    gan = live(make_trial({"loss": "wasserstein", "regularizers": [{"name": "weight-clipping", "bound": 0.01}]})).gan
    gan.train_discriminator()
    assert max(float(weight.detach().abs().max()) for weight in gan.discriminator.parameters()) <= 0.01


def test_the_average_of_g_is_what_is_evaluated(make_trial):
    gan = live(make_trial(ema=0.9)).gan
    for _ in range(20):
        gan.step()
    judged = dict(gan.evaluated_generator().named_parameters())
    average = dict(gan.average.named_parameters())
    raw = dict(gan.generator.named_parameters())
    assert all(torch.equal(judged[name], average[name]) for name in judged)
    assert any(not torch.equal(judged[name], raw[name]) for name in judged)
    assert all(weight.is_leaf and not weight.requires_grad for weight in gan.average.parameters())


@pytest.mark.parametrize("decay, halfway, end", [("constant", 1.0, 1.0), ("linear", 0.5, 0.0), ("cosine", 0.5, 0.0)])
def test_learning_rates_fall_as_asked(decay, halfway, end):
    assert decay_factor(decay, 0.0) == 1.0
    assert decay_factor(decay, 0.5) == pytest.approx(halfway)
    assert decay_factor(decay, 1.0) == pytest.approx(end)


def test_a_target_met_ends_a_trial_early_and_says_what_was_saved(make_trial, run_here):
    target = {"metric": "energy-distance", "at_most": 1e9}
    result = run_here(make_trial(metrics=["energy-distance"], at=(0.5, 1.0), stop_when=target))
    assert result.status == "stopped"
    assert result.steps == 30
    assert "target met: energy-distance" in result.reason and "30 of 60 steps saved" in result.reason


def test_sub_seeds_are_unrelated_and_reproducible():
    assert seed_for(0, "generator") == seed_for(0, "generator")
    assert len({seed_for(base, purpose) for base in range(50) for purpose in ("a", "b", "c")}) == 150


def test_packed_discriminators_train(make_trial, run_here, plugin_file):
    files = plugin_file('''
class Pairs(nn.Module):
    """D that judges two samples at once."""
    pack = 2
    def __init__(self, data):
        super().__init__()
        self.net = nn.Linear(4, 1)
    def forward(self, x, labels=None):
        return self.net(x.reshape(-1, 4)).squeeze(1)

@ganbench.hookimpl
def ganbench_discriminators():
    yield ganbench.Component("pairs", Pairs)
''')
    result = run_here(make_trial({"discriminator": "pairs"}, files=files))
    assert result.status == "done", result.reason


def test_timeouts_and_paths_do_not_change_what_a_trial_is(make_trial, plugin_file):
    trial = make_trial()
    assert make_trial(timeout=5.0).id == trial.id
    assert make_trial(files=plugin_file("")).id == trial.id
    assert make_trial(steps=61).id != trial.id


def test_weights_that_an_author_has_frozen_stay_so(make_trial):
    gan = live(make_trial()).gan
    body = gan.discriminator.net[0].weight.requires_grad_(False)
    gan = GAN(gan.generator, gan.discriminator, gan.loss, {}, gan._data, gan.settings, seed=0)
    before = body.clone()
    for _ in range(3):
        gan.step()
    assert torch.equal(before, body) and not body.requires_grad


def test_a_metric_that_draws_random_numbers_does_not_change_the_training(make_trial, run_here, plugin_file):
    files = plugin_file('''
class Rolls:
    """Draws from torch's global stream."""
    better = "higher"
    def score(self, samples):
        return {"rolls": float(torch.rand(()))}

@ganbench.hookimpl
def ganbench_metrics():
    yield ganbench.Component("rolls", Rolls)
''')
    method, at = {"regularizers": ["gradient-penalty"]}, (0.3, 0.6, 1.0)
    plain = run_here(make_trial(method, metrics=["energy-distance"], files=files, at=at))
    rolling = run_here(make_trial(method, metrics=["rolls"], files=files, at=at))
    assert plain.status == rolling.status == "done"
    assert same(plain, rolling)


def test_the_stored_average_gives_the_generator_that_was_judged(make_trial):
    method = {"generator": {"name": "mlp", "width": 16, "normalization": "batch"}}
    run = live(make_trial(method, ema=0.9))
    for _ in range(10):
        run.gan.step()
    stored = {k.removeprefix("average."): w for k, w in run.gan.weights().items() if k.startswith("average.")}
    again = live(make_trial(method, ema=0.9)).gan.generator
    again.load_state_dict(stored)
    z = torch.randn(8, again.latent_dim)
    with torch.no_grad():
        assert torch.equal(again.eval()(z), run.gan.evaluated_generator()(z))


def test_a_run_stopped_by_a_diagnosis_is_scored_where_it_stopped(make_trial, run_here, plugin_file):
    files = plugin_file('''
class Sure:
    """Certain from the first probe on."""
    def diagnose(self, history):
        yield ganbench.Finding("sure", "now", "failure", 1.0, 10, "bad", {}, "nothing")

@ganbench.hookimpl
def ganbench_diagnoses():
    yield ganbench.Component("sure", Sure)
''')
    result = run_here(make_trial(diagnoses=["sure"], files=files, stop_on=["sure"]))
    assert (result.status, result.steps) == ("stopped", 10)
    assert {score.step for score in result.scores} == {10}


def test_a_component_that_breaks_late_leaves_the_step_and_the_history_behind(make_trial, run_here, plugin_file):
    files = plugin_file('''
class Late:
    """Hinge until its 45th call."""
    calls = 0
    def discriminator(self, d, real, fake):
        self.calls += 1
        if self.calls == 45:
            raise KeyError("lost it")
        return torch.relu(1 - d(real)).mean() + torch.relu(1 + d(fake)).mean()
    def generator(self, d, real, fake):
        return -d(fake).mean()

@ganbench.hookimpl
def ganbench_losses():
    yield ganbench.Component("late", Late)
''')
    result = run_here(make_trial({"loss": "late"}, files=files, at=(0.5, 1.0)))
    assert result.status == "error" and result.reason.endswith("after 44 steps")
    assert "KeyError: 'lost it' (ganbench_plugins.py, line " in result.reason
    assert result.steps == 44 and result.artifacts.history.columns["step"][-1] == 40
    assert {score.step for score in result.scores} == {30}


def test_a_default_type_that_a_component_sets_does_not_outlive_its_trial(make_trial, run_here, plugin_file):
    files = plugin_file('''
class Rude:
    """Sets what is not its own."""
    def __init__(self):
        torch.set_default_dtype(torch.float64)
        torch.manual_seed(3)
        torch.set_num_threads(1)

@ganbench.hookimpl
def ganbench_losses():
    yield ganbench.Component("rude", Rude)
''')
    before = run_here(make_trial())
    run_here(make_trial({"loss": "rude"}, files=files))
    assert torch.get_default_dtype() == torch.float32
    assert same(before, run_here(make_trial()))
