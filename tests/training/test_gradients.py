"""A gradient that does not reach a player is refused before training, by the component that cuts it off."""

from __future__ import annotations

import pytest

import ganbench
from ganbench.contract.errors import RequestError
from ganbench.registry.plugins import load_plugins
from ganbench.registry.registry import Registry
from ganbench.training.first_step import CannotTrain, load_first_samples, try_first_step
from tests.small_suites import MLP, suite_table, trials_of

PLUGIN = """
import torch, ganbench
from torch import nn
from torch.nn.functional import softplus

class Base(ganbench.Loss):
    def discriminator(self, d, real, fake):
        return softplus(-d(real)).mean() + softplus(d(fake)).mean()
    def generator(self, d, real, fake):
        return softplus(-d(fake)).mean()

class DetachedD(Base):
    def discriminator(self, d, real, fake):
        return softplus(-d(real).detach()).mean() + softplus(d(fake).detach()).mean()

class NumberD(Base):
    def discriminator(self, d, real, fake):
        return torch.tensor(float(Base.discriminator(self, d, real, fake)))

class DetachedG(Base):
    def generator(self, d, real, fake):
        return softplus(-d(fake.with_x(fake.x.detach()))).mean()

class OfReal(Base):
    def generator(self, d, real, fake):
        return softplus(-d(real)).mean()

class LeafG(Base):
    def generator(self, d, real, fake):
        return torch.zeros((), requires_grad=True) + Base.generator(self, d, real, fake).detach()

class LeafD(Base):
    def discriminator(self, d, real, fake):
        return torch.zeros((), requires_grad=True) + Base.discriminator(self, d, real, fake).detach()

class BeginsLater(Base):
    def generator(self, d, real, fake):
        return torch.zeros((), requires_grad=True) * 1.0

class GoesBackward(Base):
    def discriminator(self, d, real, fake):
        loss = Base.discriminator(self, d, real, fake)
        loss.backward()
        return loss

class CutLater(Base):
    calls = 0
    def generator(self, d, real, fake):
        self.calls += 1
        loss = Base.generator(self, d, real, fake)
        return loss if self.calls < 5 else loss.detach()

class Net(nn.Module):
    latent_dim = 8
    def __init__(self, inputs, outputs):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(inputs, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, outputs))

class G(Net):
    def __init__(self, data):
        super().__init__(8, data.shape[0])
    def forward(self, z, labels=None):
        return self.net(z)

class NoGradG(G):
    def forward(self, z, labels=None):
        with torch.no_grad():
            return self.net(z)

class InferenceG(G):
    @torch.inference_mode()
    def forward(self, z, labels=None):
        return self.net(z)

class FrozenG(G):
    def __init__(self, data):
        super().__init__(data)
        self.requires_grad_(False)

class RebuildingG(G):
    def forward(self, z, labels=None):
        self.net[3] = nn.Linear(16, self.net[3].out_features)
        self.net[0] = nn.Linear(8, 16)
        self.net[1] = nn.BatchNorm1d(16)
        return self.net(z)

class ListedG(G):
    def __init__(self, data):
        super().__init__(data)
        self.layers = list(self.net)
        del self.net
    def forward(self, z, labels=None):
        for layer in self.layers:
            z = layer(z)
        return z

class D(Net):
    def __init__(self, data):
        super().__init__(data.shape[0], 1)
    def forward(self, x, labels=None):
        return self.net(x).squeeze(1)

class NoGradD(D):
    def forward(self, x, labels=None):
        with torch.no_grad():
            return self.net(x).squeeze(1)

class DetachedSamplesD(D):
    def forward(self, x, labels=None):
        return self.net(x.detach()).squeeze(1)

class DetachedPenalty(ganbench.Regularizer):
    def penalty(self, d, real, fake):
        return d(real).detach().square().mean()

class LatePenalty(ganbench.Regularizer):
    def penalty(self, d, real, fake):
        return torch.zeros(())

class DetachedTerm(ganbench.Term):
    def __call__(self, d, real, fake):
        return fake.x.detach().square().mean()

class DetachingAugmentation(ganbench.Augmentation):
    def __init__(self, data):
        pass
    def __call__(self, batch, stream):
        return batch.with_x(batch.x.detach() + 0.1)

class NoLosses(ganbench.Update):
    def step(self, game):
        game.train_discriminator()
        game.train_generator()

class OneLoss(ganbench.Update):
    def step(self, game):
        game.train_discriminator()
        return game.train_generator()

class ByHand:
    def __init__(self, parameters):
        self.param_groups = [{"params": list(parameters), "lr": 0.1}]

@ganbench.hookimpl
def ganbench_terms():
    yield ganbench.Component("detached-term", DetachedTerm)

@ganbench.hookimpl
def ganbench_augmentations():
    yield ganbench.Component("detaching", DetachingAugmentation)

@ganbench.hookimpl
def ganbench_updates():
    yield ganbench.Component("no-losses", NoLosses)
    yield ganbench.Component("one-loss", OneLoss)

@ganbench.hookimpl
def ganbench_optimizers():
    yield ganbench.Component("by-hand", ByHand)

@ganbench.hookimpl
def ganbench_losses():
    losses = {"detached-d": DetachedD, "number-d": NumberD, "detached-g": DetachedG, "of-real": OfReal, "leaf-g": LeafG}
    losses |= {"leaf-d": LeafD, "begins-later": BeginsLater, "goes-backward": GoesBackward, "cut-later": CutLater}
    for name, build in losses.items():
        yield ganbench.Component(name, build)

@ganbench.hookimpl
def ganbench_generators():
    networks = {"no-grad-g": NoGradG, "inference-g": InferenceG, "frozen-g": FrozenG, "listed-g": ListedG}
    for name, build in (networks | {"rebuilding-g": RebuildingG}).items():
        yield ganbench.Component(name, build)

@ganbench.hookimpl
def ganbench_discriminators():
    for name, build in {"d": D, "no-grad-d": NoGradD, "detached-samples": DetachedSamplesD}.items():
        yield ganbench.Component(name, build)

@ganbench.hookimpl
def ganbench_regularizers():
    yield ganbench.Component("detached-penalty", DetachedPenalty)
    yield ganbench.Component("late-penalty", LatePenalty)
"""

CAUSES = {
    "loss 'detached-d': D's loss has no gradient to D: it is detached": {"loss": "detached-d"},
    "loss 'number-d': D's loss has no gradient to D: it is detached, taken as a number": {"loss": "number-d"},
    "loss 'detached-g': G's loss has no gradient to G": {"loss": "detached-g"},
    "loss 'of-real': G's loss has no gradient to G: .* or of real samples alone": {"loss": "of-real"},
    "generator 'no-grad-g': G's samples have no gradient to G's weights": {"generator": "no-grad-g"},
    "generator 'inference-g' computes under torch.inference_mode": {"generator": "inference-g"},
    "generator 'frozen-g': none of G's weights requires a gradient": {"generator": "frozen-g"},
    "generator 'listed-g': G has no weights to train: .* nn.ModuleList": {"generator": "listed-g"},
    "discriminator 'no-grad-d': D's logits have no gradient to D's weights": {"discriminator": "no-grad-d"},
    "discriminator 'detached-samples': .* to the samples that D is given": {"discriminator": "detached-samples"},
    "regularizer 'detached-penalty': its penalty has no gradient to D": {"regularizers": ["detached-penalty"]},
    "loss 'leaf-g': G's loss has no gradient to G": {"loss": "leaf-g"},
    "loss 'leaf-d': D's loss has no gradient to D": {"loss": "leaf-d"},
    "a part of the graph of D's loss is gone: .* call no backward": {"loss": "goes-backward"},
    "generator 'rebuilding-g': .* layers that are built in forward": {"generator": "rebuilding-g"},
    "term 'detached-term': it has no gradient to G and changes nothing": {"terms": ["detached-term"]},
    "augmentation 'detaching': it passes no gradient on": {"augmentation": "detaching"},
    "update 'no-losses': its step returns NoneType, and the losses of D and G are expected": {"update": "no-losses"},
    "update 'one-loss': its step returns Tensor, and the losses of D and G": {"update": "one-loss"},
    "^optimizer 'by-hand' builds ByHand, which is no torch.optim.Optimizer": {"optimizer_d": "by-hand"},
    "discriminator 'd': .*; batch normalization over one sample .* give a batch_size of 2": {
        "discriminator": "d",
        "batch_size": 1,
    },
}


@pytest.fixture
def make(tmp_path):
    path = tmp_path / "ganbench_plugins.py"
    path.write_text(PLUGIN, encoding="utf-8")

    def make(**changes):
        method = {"loss": "non-saturating", **MLP} | changes
        (trial,) = trials_of(suite_table(methods={"m": method}), (str(path),))
        return trial, Registry(load_plugins((str(path),)))

    return make


@pytest.fixture
def try_step(make):
    def run(**changes):
        trial, registry = make(**changes)
        try_first_step(trial, load_first_samples(trial, registry), registry)

    return run


@pytest.mark.parametrize("said", CAUSES)
def test_what_cuts_a_gradient_off_is_named(try_step, said):
    with pytest.raises(CannotTrain, match=said) as raised:
        try_step(**CAUSES[said])
    assert "\n" not in str(raised.value)


def test_a_penalty_or_a_loss_that_begins_later_is_no_fault(try_step):
    try_step(regularizers=["late-penalty"])
    try_step(loss="begins-later")


def test_a_loss_that_is_cut_off_later_ends_its_trial_in_the_same_words(make):
    trial, _ = make(loss="cut-later")
    result = ganbench.run_trial(trial)
    assert result.status == "error" and result.steps == 4
    assert result.reason.startswith("G's loss has no gradient to G: it is detached")


def test_an_objective_without_weight_is_refused(make):
    with pytest.raises(RequestError, match="every weight of G's objective is 0"):
        make(adversarial_weight=0.0)
