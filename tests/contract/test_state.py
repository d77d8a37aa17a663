"""What a component remembers is taken and given back whole, whether it says so itself or not."""

from __future__ import annotations

import copy
import random
from collections import deque

import numpy as np
import pytest
import torch
from torch import nn

import ganbench
from ganbench.contract.adapt import adapt
from ganbench.contract.state import load_state, state_of


class Helper:
    """An object that counts, and knows whose it is."""

    def __init__(self, owner: object) -> None:
        self.owner, self.count = owner, 0


class Remembering(ganbench.Loss):
    """A loss with every kind of attribute that is plain, and one that is not."""

    def __init__(self) -> None:
        self.calls, self.mean, self.name = 0, 0.0, "a"
        self.seen: list[torch.Tensor] = []
        self.recent = deque([1], maxlen=3)
        self.ema = torch.zeros(2)
        self.torch, self.numpy = torch.Generator().manual_seed(0), np.random.default_rng(0)
        self.legacy, self.python = np.random.RandomState(0), random.Random(0)
        self.scale = nn.Parameter(torch.ones(()))
        self.network = nn.Linear(2, 2)
        self.opaque = object()
        self.helper = Helper(self)

    def step(self) -> list[float]:
        """Change everything, and return what depends on it."""
        self.calls += 1
        self.helper.count += 1
        self.mean += 0.5
        self.seen.append(torch.full((1,), float(self.calls)))
        self.recent.append(self.calls)
        self.ema.lerp_(torch.rand(2, generator=self.torch), 0.5)
        with torch.no_grad():
            self.network.weight += self.ema
        draws = [self.helper.count, self.numpy.random(), self.legacy.rand(), self.python.random()]
        return [*draws, self.ema.sum().item(), self.network.weight.sum().item(), *map(float, self.seen), *self.recent]


class Counting(nn.Module):
    """A network that keeps what `state_dict` leaves out."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(2, 2)
        self.register_buffer("hidden", torch.zeros(2), persistent=False)
        self.passes = 0
        self.random = torch.Generator().manual_seed(0)
        self.alias = self.hidden

    def forward(self, x):
        self.passes += 1
        self.hidden += torch.rand(2, generator=self.random)
        return self.inner(x) + self.alias + self.passes


@pytest.mark.parametrize("wrap", [lambda loss: loss, lambda loss: adapt("loss", loss)], ids=["as it is", "adapted"])
def test_a_component_goes_on_where_another_was(wrap):
    first, second = Remembering(), Remembering()
    second.load = first.network.state_dict()
    for _ in range(3):
        first.step()
    state = copy.deepcopy(state_of(wrap(first)))
    expected = [first.step() for _ in range(4)]
    load_state(wrap(second), state)
    assert [second.step() for _ in range(4)] == expected


def test_loading_a_state_leaves_the_state_as_it_was():
    first, second = Remembering(), Remembering()
    first.step()
    state = copy.deepcopy(state_of(first))
    load_state(second, state)
    once = second.step()
    load_state(second, state)
    assert second.step() == once


def test_a_network_keeps_what_its_state_dict_leaves_out():
    first, second = Counting().eval(), Counting()
    x = torch.ones(1, 2)
    first(x)
    state = copy.deepcopy(state_of(first))
    load_state(second, state)
    assert not second.training
    assert torch.equal(first(x), second(x)) and torch.equal(first(x), second(x))


def test_a_recurrent_network_still_learns_after_its_state_was_loaded():
    """Its weights are listed in an attribute too, which must stay those that are trained."""
    network = nn.GRU(2, 3)
    load_state(network, copy.deepcopy(state_of(network)))
    network(torch.ones(1, 1, 2))[0].sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())


def test_a_component_may_say_itself_what_it_remembers():
    class Own:
        def __init__(self):
            self.opaque = {"calls": {object(): 1}}
            self.count = 0

        def state_dict(self):
            return {"count": self.count}

        def load_state_dict(self, state):
            self.count = state["count"]

    first, second = Own(), Own()
    first.count = 5
    load_state(second, state_of(first))
    assert second.count == 5 and second.opaque is not first.opaque


def test_the_modules_of_a_metric_are_no_part_of_what_it_remembers():
    assert "parts" in state_of(Remembering()) and "parts" not in state_of(Remembering(), parts=False)


def test_an_object_that_is_made_later_is_refused_by_name():
    class Lazy:
        def __init__(self):
            self.helper = None

    first = Lazy()
    first.helper = Helper(first)
    with pytest.raises(ValueError, match=r"Lazy\.helper was made after it was built: offer state_dict"):
        load_state(Lazy(), state_of(first))


def test_the_diagnosis_that_forks_runs_remembers_how_often():
    from ganbench.builtin.diagnoses.failures import OverpoweringDiscriminator
    from ganbench.builtin.diagnoses.smooth_d import SmoothDFork

    first, second = OverpoweringDiscriminator(), OverpoweringDiscriminator()
    first._fork = SmoothDFork(2)
    load_state(second, state_of(first))
    assert second._fork.done == 2
