"""A trial that was left at any step, and gone on with, ends bit for bit as one that was not."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

import ganbench
from ganbench.contract.records import Checkpoints, Trial, TrialResult
from ganbench.registry.registry import load_registry
from ganbench.training.game import GAN
from ganbench.training.pause import allow_trials
from ganbench.trial import LiveTrial

LAZY = {"regularizers": [{"name": "r1", "every": 4}, "dragan"]}
CONV = {
    "generator": {"name": "conv", "width": 8},
    "discriminator": {"name": "conv", "width": 8, "normalization": "batch"},
}
CLASSES = {
    "loss": "ac",
    "regularizers": [{"name": "r1", "every": 4}, {"name": "path-length", "every": 8}, {"name": "lecam", "start": 10}],
    "augmentation": {"name": "ada", "target": 0.0, "speed": 2000},
    "generator": {"name": "conv", "width": 8, "conditional": True},
    "discriminator": {"name": "conv", "width": 8, "normalization": "batch", "auxiliary": "classes"},
}


@pytest.fixture
def leave(monkeypatch, tmp_path) -> Callable[[Trial, int], tuple[TrialResult, list[ganbench.Event]]]:
    """Run a trial, leave it at that update of D, go on with it, and return its result and the events of going on."""

    def run(trial: Trial, at: int) -> tuple[TrialResult, list[ganbench.Event]]:
        trial = replace(trial, checkpoints=Checkpoints(str(tmp_path / f"checkpoints-{at}")))
        update, updates = GAN.train_discriminator, []

        def counted(gan):
            updates.append(1)
            if len(updates) == at:
                ganbench.pause_trials()
            return update(gan)

        with monkeypatch.context() as patch:
            patch.setattr(GAN, "train_discriminator", counted)
            left = ganbench.run_trial(trial, threads=1)
        allow_trials()
        assert left.status == "paused"
        events: list[ganbench.Event] = []
        result = ganbench.run_trial(trial, events.append, threads=2)  # as many threads as it began with are taken
        return result, events

    yield run
    allow_trials()


STREAMED = '''
class Loader:
    """Points in an order that its seed says: three batches and a smaller one."""
    def __init__(self, batch_size, seed):
        self.size, self.stream = batch_size, torch.Generator().manual_seed(seed)

    def __iter__(self):
        for size in (self.size,) * 3 + (self.size // 2,):
            yield ganbench.Batch(torch.randn(size, 2, generator=self.stream))

class Streamed(ganbench.Dataset):
    """More points than fit into memory."""
    spec = ganbench.DataSpec("points", (2,))

    def training(self):
        return ganbench.Batch(torch.randn(400, 2, generator=torch.Generator().manual_seed(0)))

    def held_out(self):
        return ganbench.Batch(torch.randn(400, 2, generator=torch.Generator().manual_seed(1)))

    def training_loader(self, batch_size, seed):
        return Loader(batch_size, seed)

@ganbench.hookimpl
def ganbench_datasets():
    yield ganbench.Component("streamed", Streamed)
'''


def test_a_trial_on_a_loader_goes_on_where_it_was_left(make_trial, run_here, plugin_file, leave):
    settings = {"datasets": ["streamed"], "metrics": ["energy-distance"], "steps": 40, "observations": 5}
    trial = make_trial(files=plugin_file(STREAMED), **settings)
    whole = run_here(trial)
    assert whole.status == "done", whole.reason
    resumed, events = leave(trial, 30)
    assert any(isinstance(event, ganbench.TrialResumed) for event in events)
    assert_identical(resumed, whole)


def assert_identical(ours: TrialResult, theirs: TrialResult) -> None:
    timings = {"seconds": 0.0, "train_seconds": 0.0, "artifacts": None, "scores": ()}
    assert replace(ours, **timings, trial=theirs.trial) == replace(theirs, **timings)
    assert [repr(replace(score, seconds=0.0)) for score in ours.scores] == [
        repr(replace(score, seconds=0.0)) for score in theirs.scores
    ]
    a, b = ours.artifacts, theirs.artifacts
    assert list(a.history.columns) == list(b.history.columns)
    for name, column in a.history.columns.items():
        np.testing.assert_array_equal(column, b.history.columns[name], err_msg=name, strict=True)
    assert a.history.nonfinite == b.history.nonfinite
    assert a.weights.keys() == b.weights.keys()
    for name, weight in a.weights.items():
        np.testing.assert_array_equal(weight, b.weights[name], err_msg=name, strict=True)
    np.testing.assert_array_equal(a.samples, b.samples)
    assert (a.best is None) == (b.best is None)
    if a.best is not None:
        assert (a.best.metric, a.best.step, a.best.value) == (b.best.metric, b.best.step, b.best.value)
        for name, weight in a.best.weights.items():
            np.testing.assert_array_equal(weight, b.best.weights[name], err_msg=name, strict=True)


def check(trial: Trial, run_here, leave, moments: Sequence[int]) -> TrialResult:
    whole = run_here(trial)
    for at in moments:
        result, events = leave(trial, at)
        assert [type(event).__name__ for event in events[:2]] == ["TrialStarted", "TrialResumed"], events[:2]
        assert_identical(result, whole)
    return whole


def test_on_a_ring_with_lazy_penalties_an_average_a_warm_up_and_decay(make_trial, run_here, leave):
    settings = {"ema": 0.9, "lr_decay": "cosine", "d_warmup": 10, "d_steps": 2, "at": (0.3, 0.6, 1.0)}
    trial = make_trial(LAZY, metrics=["modes", "energy-distance"], **settings)
    # In the warm-up, in the first steps, right before and after an observation and an evaluation, near the end.
    whole = check(trial, run_here, leave, [4, 13, 48, 50, 71, 127])
    assert whole.status == "done" and whole.train_seconds > 0


def test_on_digits_with_batch_normalization(make_trial, run_here, leave):
    trial = make_trial(CONV, datasets=["digits"], metrics=["energy-distance"], ema=0.9, steps=30, at=(0.5, 1.0))
    check(trial, run_here, leave, [9, 22])


def test_on_classes_with_batch_normalization_an_adaptive_augmentation_an_average_and_lazy_penalties(
    make_trial, run_here, leave
):
    settings = {"ema": 0.9, "steps": 30, "observations": 10, "diagnoses": [], "at": (0.5, 1.0)}
    trial = make_trial(CLASSES, datasets=["digits"], metrics=["energy-distance"], **settings)
    whole = check(trial, run_here, leave, random.Random(trial.id).sample(range(2, 30), 2))
    probability = whole.artifacts.history.columns["augmentation.p"]
    assert whole.status == "done" and len(set(probability.tolist())) > 2, "there is an adaptation to go on from"


@pytest.mark.parametrize("optimizer", ["adamw", {"name": "sgd", "lr": 0.01, "momentum": 0.9}, "rmsprop"])
def test_with_every_optimizer(make_trial, run_here, leave, optimizer):
    check(make_trial(optimizer=optimizer, diagnoses=[]), run_here, leave, [31])


def test_with_low_precision_parts_of_batches_clipping_and_another_layout(make_trial, run_here, leave):
    settings = {"precision": "bf16", "accumulate": 2, "clip": 0.5, "channels_last": True, "steps": 30}
    check(make_trial(CONV, datasets=["digits"], metrics=["energy-distance"], **settings), run_here, leave, [25])


REMEMBERING = '''
class Remembering(ganbench.Loss):
    """Logits are centred on their running mean, with noise of its own; hinges that turn to NaN at a step if asked."""
    def __init__(self, *, breaks_at: int = 0):
        self.mean, self.calls = 0.0, 0
        self.random = torch.Generator().manual_seed(0)
        self.breaks_at = breaks_at
    def discriminator(self, d, real, fake):
        self.calls += 1
        scores = d(real)
        self.mean = 0.9 * self.mean + 0.1 * scores.mean().item()
        noise = torch.rand(len(scores), generator=self.random)
        loss = (1 - scores + self.mean + noise).relu().mean() + (1 + d(fake) - self.mean).relu().mean()
        return loss * float("nan") if self.calls == self.breaks_at else loss
    def generator(self, d, real, fake):
        return -d(fake).mean() + self.mean

class Jumping(nn.Module):
    """D with dropout, a counter of its passes, and a buffer that its state_dict leaves out."""
    def __init__(self, data, *, width: int = 16):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, width), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Linear(width, 1))
        self.register_buffer("drift", torch.zeros(()), persistent=False)
        self.passes = 0
    def forward(self, x, labels=None):
        if self.training:
            self.passes += 1
            self.drift += 0.001 * (self.passes % 3)
        return self.net(x).squeeze(1) + self.drift

class Watching(ganbench.Diagnosis):
    """Measures what it counts itself."""
    def __init__(self):
        self.count = 0
    def observe(self, view):
        self.count += 1
        return {"count": float(self.count)}
    def diagnose(self, history):
        return []

class Drawing(ganbench.Metric):
    """Draws from the global stream, and so does its floor."""
    better = "lower"
    def score(self, samples):
        return {"": torch.rand(()).item()}

@ganbench.hookimpl
def ganbench_losses():
    yield ganbench.Component("remembering", Remembering)
@ganbench.hookimpl
def ganbench_discriminators():
    yield ganbench.Component("jumping", Jumping)
@ganbench.hookimpl
def ganbench_diagnoses():
    yield ganbench.Component("watching", Watching)
@ganbench.hookimpl
def ganbench_metrics():
    yield ganbench.Component("drawing", Drawing)
'''


def test_with_components_that_remember_something(make_trial, run_here, leave, plugin_file):
    method = {"loss": "remembering", "discriminator": "jumping"}
    trial = make_trial(
        method, metrics=["drawing"], diagnoses=["watching"], files=plugin_file(REMEMBERING), at=(0.3, 0.6, 1.0)
    )
    whole = check(trial, run_here, leave, [17, 30, 44])
    assert whole.artifacts.history.columns["watching.count"].tolist() == list(range(1, 7))


def test_a_run_that_diverges_is_replayed_to_the_same_place(make_trial, run_here, leave, plugin_file):
    method = {"loss": {"name": "remembering", "breaks_at": 37}}
    whole = check(make_trial(method, files=plugin_file(REMEMBERING)), run_here, leave, [8, 33, 36])
    assert whole.status == "diverged" and whole.artifacts.history.nonfinite.step == 37


def test_a_trial_that_is_stopped_is_stopped_at_the_same_step(make_trial, run_here, leave):
    target = {"metric": "modes.covered", "at_least": 0}
    whole = check(make_trial(stop_when=target, at=(0.5, 1.0)), run_here, leave, [20])
    assert whole.status == "stopped" and whole.steps == 30


@pytest.mark.parametrize("metric", ["modes.covered", "energy-distance"])
def test_the_weights_at_the_best_score_are_kept(make_trial, run_here, leave, metric):
    trial = make_trial(metrics=["modes", "energy-distance"], at=(0.4, 0.5, 0.75, 1.0), ema=0.9)
    trial = replace(trial, evaluation=replace(trial.evaluation, keep_best=metric))
    whole = check(trial, run_here, leave, [28])
    best = whole.artifacts.best
    scores = [score for score in whole.scores if score.metric == metric]
    choose = max if scores[0].better == "higher" else min
    expected = choose(scores, key=lambda score: score.value)  # the first of equal ones
    assert (best.step, best.value) == (expected.step, expected.value)
    registry = load_registry()
    data = registry.build("dataset", trial.components.dataset)
    gan = LiveTrial.build(trial, data, registry, torch.device("cpu")).gan
    for _ in range(best.step):  # observing and evaluating change nothing
        gan.step()
    for name, weight in gan.evaluated_weights().items():
        np.testing.assert_array_equal(weight.numpy(), best.weights[name])


def test_the_id_of_a_trial_does_not_depend_on_where_it_is_saved(make_trial):
    from ganbench.suite.trial_id import trial_id

    trial = make_trial()
    assert trial_id(replace(trial, checkpoints=Checkpoints("here", steps=5, minutes=1.0))) == trial.id


def test_a_damaged_checkpoint_costs_a_line_and_the_trial_starts_again(make_trial, run_here, tmp_path):
    trial = replace(make_trial(), checkpoints=Checkpoints(str(tmp_path / "checkpoints"), steps=10))
    whole = ganbench.run_trial(trial, threads=1)
    for file in tmp_path.rglob("state.safetensors"):
        file.write_bytes(file.read_bytes()[:100])
    events: list[ganbench.Event] = []
    assert_identical(ganbench.run_trial(trial, events.append, threads=1), whole)
    notes = [event.text for event in events if isinstance(event, ganbench.TrialNote)]
    assert len(notes) == 2 and all(
        "is left aside: it is not as it was written; the trial starts again" in n for n in notes
    )


def test_a_checkpoint_that_the_components_do_not_take_costs_a_line(make_trial, tmp_path, plugin_file, run_here):
    """Its plugin was edited, and has not said so by a version."""
    code = """
class Changing(ganbench.Loss):
    def __init__(self):
        self.part = Part()
    def discriminator(self, d, real, fake):
        return d(fake).mean() - d(real).mean()
    def generator(self, d, real, fake):
        return -d(fake).mean()

class Part:
    def state_dict(self):
        return {}
    def load_state_dict(self, state):
        raise KeyError("other")

@ganbench.hookimpl
def ganbench_losses():
    yield ganbench.Component("changing", Changing)
"""
    trial = make_trial({"loss": "changing"}, files=plugin_file(code))
    trial = replace(trial, checkpoints=Checkpoints(str(tmp_path / "checkpoints"), steps=25))
    whole = ganbench.run_trial(trial, threads=1)
    events: list[ganbench.Event] = []
    assert_identical(ganbench.run_trial(trial, events.append, threads=1), whole)
    (note,) = [event.text for event in events if isinstance(event, ganbench.TrialNote)]
    assert note.startswith("checkpoint after 50 steps is left aside: KeyError") and "starts again" in note


def test_a_component_whose_state_cannot_be_saved_costs_a_line_and_no_result(make_trial, tmp_path, plugin_file):
    code = """
class Opaque(ganbench.Regularizer):
    def after_step(self, module):
        pass
    def state_dict(self):
        return {"thing": object()}
    def load_state_dict(self, state):
        pass

@ganbench.hookimpl
def ganbench_regularizers():
    yield ganbench.Component("opaque", Opaque)
"""
    trial = make_trial({"regularizers": ["opaque"]}, files=plugin_file(code))
    trial = replace(trial, checkpoints=Checkpoints(str(tmp_path / "checkpoints"), steps=25))
    events: list[ganbench.Event] = []
    assert ganbench.run_trial(trial, events.append, threads=1).status == "done"
    (note,) = [event.text for event in events if isinstance(event, ganbench.TrialNote)]
    assert "no checkpoint is saved" in note and "regularizer opaque" in note and "which cannot be saved" in note


DEAF = '''
class Deaf(ganbench.Loss):
    """D's loss does not depend on generated samples."""
    def discriminator(self, d, real, fake):
        return torch.nn.functional.softplus(-d(real)).mean()

    def generator(self, d, real, fake):
        return torch.nn.functional.softplus(-d(fake)).mean()


@ganbench.hookimpl
def ganbench_losses():
    yield ganbench.Component("deaf", Deaf)
'''


def test_what_is_wired_wrongly_is_still_known(make_trial, run_here, leave, plugin_file):
    whole = check(make_trial({"loss": "deaf"}, files=plugin_file(DEAF)), run_here, leave, [7, 40])
    assert "wiring" in whole.verdicts
