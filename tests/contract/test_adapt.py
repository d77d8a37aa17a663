"""Components that subclass nothing get the documented defaults, and stay themselves."""

import copy
import pickle

import pytest
import torch

import ganbench
from ganbench.contract.adapt import adapt, original, provides


class DuckPenalty:
    def __init__(self):
        self.calls = 0

    def penalty(self, d, real, fake):
        self.calls += 1
        return d(real).square().mean()


class DuckDiagnosis:
    follows = ("divergence",)

    def diagnose(self, history):
        return []

    def suspicion(self, history, horizon):
        return 0.25


class DuckFeatures:
    dim, preprocessing = 2, "none"

    def __call__(self, samples, tap=""):
        return samples[:, :2]


class Raises:
    @property
    def modes(self):
        raise AttributeError("a fault of its own")


def test_what_a_duck_typed_component_leaves_out_has_its_default():
    adapted = adapt("regularizer", DuckPenalty())
    assert isinstance(adapted, ganbench.Regularizer)
    assert (adapted.player, adapted.every) == ("discriminator", 1)
    assert provides(adapted, "penalty") and not provides(adapted, "after_step")


def test_an_adapted_component_is_called_as_the_original_is():
    adapted = adapt("features", DuckFeatures())
    assert torch.equal(adapted(torch.eye(3)), torch.eye(3)[:, :2]) and provides(adapted, "__call__")
    with pytest.raises(TypeError, match="has no '__call__'"):
        adapt("features", Raises())(torch.eye(3))


def test_an_adapted_component_reads_and_writes_the_original():
    duck = DuckPenalty()
    adapted = adapt("regularizer", duck)
    adapted.penalty(lambda batch: batch.x, ganbench.Batch(torch.ones(2)), None)
    adapted.calls += 10
    assert duck.calls == 11 and original(adapted) is duck


@pytest.mark.parametrize(
    "twice",
    [copy.deepcopy, lambda component: pickle.loads(pickle.dumps(component))],  # noqa: S301  (of our own making)
)
def test_a_copy_of_an_adapted_component_is_adapted_and_its_own(twice):
    adapted = adapt("regularizer", DuckPenalty())
    other = twice(adapted)
    other.calls = 5
    assert adapted.calls == 0 and other.every == 1 and isinstance(other, ganbench.Regularizer)


def test_a_member_under_its_old_name_is_used_with_a_warning():
    with pytest.warns(FutureWarning, match="'suspicion' is now 'score'"):
        adapted = adapt("diagnosis", DuckDiagnosis())
    assert adapted.score(None, "now") == 0.25 and provides(adapted, "score")
    assert adapted.follows == ("divergence",) and adapted.probes == ()


def test_a_property_that_raises_is_not_taken_for_a_missing_member():
    with pytest.raises(AttributeError, match="a fault of its own"):
        _ = adapt("dataset", Raises()).modes


def test_a_subclass_is_itself_and_provides_what_it_overrides():
    class Mine(ganbench.Regularizer):
        def after_step(self, module):
            pass

    mine = Mine()
    assert adapt("regularizer", mine) is mine
    assert provides(mine, "after_step") and not provides(mine, "penalty")


def test_a_missing_required_member_is_named():
    with pytest.raises(TypeError, match="'generator'"):
        adapt("loss", object()).generator(None, None, None)
    with pytest.raises(TypeError, match="Half has no 'generator'"):
        type("Half", (ganbench.Loss,), {})().generator(None, None, None)


def test_other_kinds_are_left_as_they_are():
    network = torch.nn.Linear(2, 1)
    assert adapt("generator", network) is network
