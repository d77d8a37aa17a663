"""A run in the middle of its training can be forked under other rules, and continues as if it had not been."""

from __future__ import annotations

import copy

import pytest
import torch

from ganbench.builtin.regularizers import R1
from ganbench.registry.registry import load_registry
from ganbench.training.seeding import deterministic
from ganbench.trial import LiveTrial

CPU = torch.device("cpu")

COUNTING = '''
class Counting:
    """Non-saturating, and weaker with each call."""
    def __init__(self):
        self.calls = 0
    def discriminator(self, d, real, fake):
        self.calls += 1
        logits = nn.functional.softplus(-d(real)).mean() + nn.functional.softplus(d(fake)).mean()
        return logits / self.calls
    def generator(self, d, real, fake):
        return nn.functional.softplus(-d(fake)).mean()

@ganbench.hookimpl
def ganbench_losses():
    yield ganbench.Component("counting", Counting)
'''


@pytest.fixture
def live(make_trial, plugin_file):
    """A run with a stateful loss, a penalty and a running average, 20 of its steps done."""
    files = plugin_file(COUNTING)
    trial = make_trial({"loss": "counting", "regularizers": ["r1"]}, files=files, ema=0.9, optimizer="adam")
    registry = load_registry(files)
    with deterministic(CPU, 1):
        run = LiveTrial.build(trial, registry.build("dataset", trial.components.dataset), registry, CPU)
        for _ in range(20):
            run.gan.step()
        yield run


def _weights(gan):
    return {name: weight.clone() for name, weight in gan.weights().items()}


def _same(some, others):
    return all(torch.equal(some[name], others[name]) for name in others)


def test_a_fork_without_changes_becomes_what_the_run_itself_will_be(live):
    ahead = live.gan.fork(15)
    for _ in range(15):
        live.gan.step()
    assert ahead.steps_done == live.gan.steps_done == 35
    assert _same(_weights(ahead), _weights(live.gan))


def test_the_run_continues_as_if_it_had_not_been_forked(live):
    untouched = copy.deepcopy(live.gan)
    random = torch.get_rng_state()
    live.gan.fork(5, lr_d=0.1, d_steps=3, more_regularizers={"r2": live.gan.regularizers["r1"]})
    assert torch.equal(random, torch.get_rng_state())
    for _ in range(5):
        live.gan.step()
        untouched.step()
    assert live.gan.loss.calls == untouched.loss.calls == 25
    assert _same(_weights(live.gan), _weights(untouched))


def test_a_fork_follows_its_own_rules(live):
    slow = live.gan.fork(1, lr_d=0.0 + 1e-9)
    before = live.gan.discriminator.state_dict()
    moved = max((before[n] - w).abs().max() for n, w in slow.discriminator.state_dict().items())
    assert (
        moved < 1e-6 < max((before[n] - w).abs().max() for n, w in live.gan.fork(1).discriminator.state_dict().items())
    )
    assert live.gan.fork(2, d_steps=3).d_updates == live.gan.d_updates + 6


def test_a_regularizer_of_a_fork_keeps_its_own_options(live):
    strong, weak = (live.gan.fork(0, more_regularizers={"r1": R1(weight=weight)}) for weight in (7.0, 0.1))
    assert (strong.regularizers["r1"].weight, weak.regularizers["r1"].weight) == (7.0, 0.1)
    assert live.gan.regularizers["r1"].weight not in (7.0, 0.1)
