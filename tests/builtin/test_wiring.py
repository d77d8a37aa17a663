"""A component that is wired wrongly is named in a run, before or within its first steps; those that ship are not."""

from __future__ import annotations

from dataclasses import replace

import pytest

import ganbench
from ganbench.results.trial_files import read_history, write_trial
from tests.small_suites import MLP, suite_table, trials_of

PLUGIN = """
import torch, ganbench
from torch import nn
from torch.nn.functional import softplus, binary_cross_entropy_with_logits as cross_entropy

class Base(ganbench.Loss):
    def discriminator(self, d, real, fake):
        return softplus(-d(real)).mean() + softplus(d(fake)).mean()
    def generator(self, d, real, fake):
        return softplus(-d(fake)).mean()

class Swapped(Base):
    def discriminator(self, d, real, fake):
        r, f = d(real), d(fake)
        return cross_entropy(torch.ones_like(r), r) + cross_entropy(torch.zeros_like(f), f)

class Ones(Base):
    def discriminator(self, d, real, fake):
        r, f = d(real), d(fake)
        return cross_entropy(r, torch.ones_like(r)) + cross_entropy(f, torch.ones_like(f))

class NoReal(Base):
    def discriminator(self, d, real, fake):
        return softplus(d(fake)).mean()

class Blind(Base):
    def generator(self, d, real, fake):
        with torch.no_grad():
            adversarial = softplus(-d(fake)).mean()
        return fake.x.square().mean() + adversarial

class Reversed(Base):
    def generator(self, d, real, fake):
        return -softplus(-d(fake)).mean()

class LowerIsReal(Base):
    def discriminator(self, d, real, fake):
        return softplus(d(real)).mean() + softplus(-d(fake)).mean()
    def generator(self, d, real, fake):
        return softplus(d(fake)).mean()

class SquaresExchanged(Base):
    def discriminator(self, d, real, fake):
        return d(real).square().mean() + (d(fake) - 1).square().mean()

class NoWeight(Base):
    def generator(self, d, real, fake):
        return 0 * Base.generator(self, d, real, fake)

class Nobody(ganbench.Update):
    def step(self, game):
        return torch.zeros(()), torch.zeros(())

class Undone(ganbench.Update):
    def step(self, game):
        losses = game.train_discriminator(), game.train_generator()
        if not hasattr(self, "first"):
            self.first = [weight.detach().clone() for weight in game.d_weights]
        with torch.no_grad():
            for weight, value in zip(game.d_weights, self.first):
                weight.copy_(value)
        return losses

class OnlyG(ganbench.Update):
    def step(self, game):
        loss = game.train_generator()
        return loss, loss

class Crossed(ganbench.Update):
    # sound, if odd: each gradient is used one half step later
    def step(self, game):
        loss_d = game.differentiate_discriminator()
        game.update_generator()
        loss_g = game.differentiate_generator()
        game.update_discriminator()
        return loss_d, loss_g

@ganbench.hookimpl
def ganbench_updates():
    for name, build in {"nobody": Nobody, "undone": Undone, "only-g": OnlyG, "crossed": Crossed}.items():
        yield ganbench.Component(name, build)

class Blank(ganbench.Augmentation):
    def __init__(self, data):
        pass
    def __call__(self, batch, stream):
        return batch.with_x(torch.randn(batch.x.shape, generator=stream) + 0 * batch.x)

@ganbench.hookimpl
def ganbench_augmentations():
    yield ganbench.Component("noise-only", Blank)

class Square(ganbench.Term):
    def __call__(self, d, real, fake):
        return fake.x.square().mean()

@ganbench.hookimpl
def ganbench_terms():
    yield ganbench.Component("square", Square)

@ganbench.hookimpl
def ganbench_optimizers():
    yield ganbench.Component("upwards", lambda parameters: torch.optim.SGD(parameters, lr=1e-2, maximize=True))

class Net(nn.Module):
    latent_dim = 8
    def __init__(self, sizes, *last):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(sizes[0], 32), nn.ReLU(), *last, nn.Linear(32, sizes[1]))

class FixedLatents(Net):
    def __init__(self, data):
        super().__init__((8, data.shape[0]))
        self.z = torch.randn(32, 8)
    def forward(self, z, labels=None):
        return self.net(self.z[:len(z)]) if len(z) <= 32 else self.net(self.z.repeat(len(z) // 32 + 1, 1)[:len(z)])

class Evaluating(Net):
    def __init__(self, data):
        super().__init__((data.shape[0], 1), nn.Dropout(0.3))
        self.eval()
    def forward(self, x, labels=None):
        return self.net(x).squeeze(1)

class Probabilities(Net):
    def __init__(self, data):
        super().__init__((data.shape[0], 1))
    def forward(self, x, labels=None):
        return self.net(x).sigmoid().squeeze(1)

class PartCutOff(Net):
    def __init__(self, data):
        super().__init__((8, data.shape[0]))
    def forward(self, z, labels=None):
        return self.net[2](self.net[1](self.net[0](z)).detach())

class Bounded(Net):
    def __init__(self, data):
        super().__init__((8, data.shape[0]))
    def forward(self, z, labels=None):
        return torch.sigmoid(self.net(z))

@ganbench.hookimpl
def ganbench_losses():
    losses = {"swapped": Swapped, "ones": Ones, "no-real": NoReal, "detached-term": Blind, "reversed": Reversed}
    losses |= {"lower-is-real": LowerIsReal, "squares-exchanged": SquaresExchanged, "no-weight": NoWeight}
    for name, build in losses.items():
        yield ganbench.Component(name, build)

@ganbench.hookimpl
def ganbench_generators():
    yield ganbench.Component("fixed-latents", FixedLatents)
    yield ganbench.Component("bounded", Bounded)
    yield ganbench.Component("part-cut-off", PartCutOff)

@ganbench.hookimpl
def ganbench_discriminators():
    yield ganbench.Component("probabilities", Probabilities)
    yield ganbench.Component("evaluating", Evaluating)

class Hole:
    spec = ganbench.DataSpec("points", (4,))
    def training(self):
        x = torch.randn(5000, 4, generator=torch.Generator().manual_seed(1))
        x[3333, 1] = float("nan")
        return ganbench.Batch(x)
    def held_out(self):
        return ganbench.Batch(torch.randn(500, 4, generator=torch.Generator().manual_seed(2)))

class LateHole(Hole):
    def training(self):
        return ganbench.Batch(torch.randn(5000, 4, generator=torch.Generator().manual_seed(1)))
    def training_loader(self, batch_size, seed):
        x = Hole.training(self).x
        return [ganbench.Batch(x[i : i + batch_size]) for i in range(0, 4992, batch_size)]

class Condition:
    spec = ganbench.DataSpec("points", (4,), condition=(3,))
    def training(self):
        condition = torch.randn(500, 3, generator=torch.Generator().manual_seed(1))
        condition[42, 2] = float("inf")
        return ganbench.Batch(torch.randn(500, 4, generator=torch.Generator().manual_seed(1)), condition=condition)
    def held_out(self):
        return ganbench.Batch(torch.randn(500, 4), condition=torch.randn(500, 3))

@ganbench.hookimpl
def ganbench_datasets():
    for name, build in {"hole": Hole, "late-hole": LateHole, "condition": Condition}.items():
        yield ganbench.Component(name, build)
"""

CAUSES = {
    "swapped": ({"loss": "swapped"}, "D's loss does not depend on generated samples"),
    "ones": ({"loss": "ones"}, "D is rewarded for calling real and generated samples real alike"),
    "no-real": ({"loss": "no-real"}, "D's loss does not depend on real samples"),
    "detached-term": ({"loss": "detached-term"}, "A term of G's loss has no gradient to G"),
    "reversed": ({"loss": "reversed"}, "G is rewarded for samples that D calls generated"),
    "fixed-latents": ({"generator": "fixed-latents"}, "the same samples of different z"),
    "bounded": ({"generator": "bounded"}, "different ranges"),
    "evaluating": ({"discriminator": "evaluating"}, "D is trained in evaluation mode"),
    "real for fake": ({"loss": "blind"}, "In their place it is given real samples"),
    "real for fake, hinge": ({"loss": {"name": "blind", "inner": "hinge"}}, "In their place it is given real samples"),
    "swapped batches": (
        {"loss": {"name": "flipped", "share": 1.0}},
        "D is rewarded for calling generated samples real",
    ),
    "exchanged targets": ({"loss": "squares-exchanged"}, "D is rewarded for calling generated samples real"),
    "lower is real": ({"loss": "lower-is-real"}, "D is rewarded for calling generated samples real"),
    "upwards": ({"optimizer_d": "upwards"}, "D is rewarded for calling generated samples real"),
    "nobody": ({"update": "nobody"}, "Neither player has been updated in 20 steps"),
    "undone": ({"update": "undone"}, "D does not change: its optimizer changes its weights"),
    "replaced": ({"augmentation": "noise-only"}, "No gradient gets from D's samples back to G's"),
    "no rate": ({"optimizer_d": {"name": "adam", "lr": 1e-110}}, "learning rate of 1e-110"),
}


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "ganbench_plugins.py"
    path.write_text(PLUGIN, encoding="utf-8")
    return (str(path),)


def run(plugin=(), **changes):
    method = {"loss": "non-saturating", **MLP} | changes
    (trial,) = trials_of(suite_table(methods={"m": method}), plugin)
    return ganbench.run_trial(replace(trial, training=replace(trial.training, steps=30)))


def wiring(result):
    return [finding for finding in result.findings if finding.diagnosis == "wiring"]


@pytest.mark.parametrize("name", CAUSES)
def test_a_faulty_component_is_named_in_a_run(name, plugin):
    changes, cause = CAUSES[name]
    result = run(plugin, **changes)
    (finding,) = wiring(result)
    assert cause in finding.summary and finding.severity == "failure" and finding.onset_step <= 20
    assert "wiring" in result.verdicts and result.failed


QUESTIONS = {
    "probabilities": ({"discriminator": "probabilities"}, "D ends in a sigmoid"),
    "part cut off": ({"generator": "part-cut-off"}, "Weights of G never get a gradient: 'net.0.weight', 'net.0.bias'"),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_what_may_be_on_purpose_is_asked_in_a_run(name, plugin):
    changes, question = QUESTIONS[name]
    (finding,) = wiring(run(plugin, **changes))
    assert question in finding.summary and finding.summary.endswith("on purpose?") and finding.severity == "warning"


@pytest.mark.parametrize("changes, player", [({"update": "only-g"}, "D"), ({"loss": "no-weight"}, "G")])
def test_a_player_that_is_never_trained_is_a_verdict(changes, player, plugin):
    result = run(plugin, **changes)
    (finding,) = wiring(result)
    assert f"{player} has never been trained" in finding.summary and finding.onset_step == 30
    assert "wiring" in result.verdicts


LATE = [
    {"terms": ["square"], "adversarial_from": 25},
    {"terms": ["square"], "adversarial_from": 25, "d_from": 22},
    {"terms": ["square"], "adversarial_weight": 0.0},
    {"terms": ["square"], "adversarial_weight": {"from": 0, "to": 1, "share": 1.0}},
    {"d_warmup": 30},
    {"update": "crossed"},
]


@pytest.mark.parametrize("changes", LATE)
def test_a_late_start_that_a_suite_states_is_not_asked_about(changes, plugin):
    result = run(plugin, **changes)
    assert result.status == "done" and wiring(result) == []


@pytest.mark.parametrize("loss", ["minimax", "non-saturating", "least-squares", "hinge", "wasserstein", "relativistic"])
def test_components_that_ship_are_not_accused(loss):
    result = run(loss=loss, regularizers=["r1"], optimizer={"name": "adam", "lr": 1e-3, "betas": [0.0, 0.9]})
    assert result.status == "done" and wiring(result) == []


def test_faults_are_stored_with_the_history(plugin, tmp_path):
    result = run(plugin, loss="swapped")
    write_trial(tmp_path / "trial", result)
    history = read_history(tmp_path / "trial")
    assert history.wiring == result.artifacts.history.wiring and len(history.wiring) == 1


HOLES = {
    "hole": "training part: 1 of 5000 samples is not finite, the first at index 3333",
    "condition": "conditions of the training part: 1 of 500 samples is not finite, the first at index 42, value 2: inf",
}


@pytest.mark.parametrize("name", HOLES)
def test_data_that_is_not_finite_is_named_before_training(name, plugin):
    (trial,) = trials_of(suite_table(datasets={name: {"dataset": name}}, metrics=["energy-distance"]), plugin)
    result = ganbench.run_trial(trial)
    assert result.status == "error" and result.steps == 0
    assert f"data set {name!r}: {HOLES[name]}" in result.reason
    (finding,) = result.findings
    assert finding.diagnosis == "wiring" and "data" in finding.summary and result.verdicts == ("wiring",)


def test_a_loader_that_gives_values_that_are_not_finite_is_named_whenever_that_is(plugin):
    data = {"late-hole": {"dataset": "late-hole"}}
    (trial,) = trials_of(suite_table(datasets=data, metrics=["energy-distance"]), plugin)
    result = ganbench.run_trial(replace(trial, training=replace(trial.training, steps=120)))
    assert (
        result.status == "diverged" and "since step 104: real samples that the data set's loader gives" in result.reason
    )
    (finding,) = wiring(result)
    assert "what the data set's loader gives in step 104" in finding.summary
    assert {other.cause for other in result.findings if other.diagnosis == "divergence"} == {"wiring"}


def test_watching_changes_no_weight():
    (watched,) = trials_of(suite_table())
    plain = replace(watched, diagnoses=())
    weights = [ganbench.run_trial(trial).artifacts.weights for trial in (watched, plain)]
    assert all((weights[0][name] == weight).all() for name, weight in weights[1].items())
    assert watched.id == plain.id
