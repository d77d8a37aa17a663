"""D as losses and regularizers see it: maps, heads, features, conditions."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import ganbench
from ganbench.training.discriminator import BoundDiscriminator, condition_argument

BATCH, OTHER = ganbench.Batch(torch.randn(6, 2)), ganbench.Batch(torch.randn(6, 2))


def counted(*heads, calls):
    def run(batch):
        calls.append(batch)
        return [head(batch.x) for head in heads]

    return run


def hinge(d):
    return F.relu(1 - d(BATCH)).mean() + F.relu(1 + d(OTHER)).mean()


def narrow(x):
    return 3 * x.sum(1)


def wide(x):
    return x[:, None, :].expand(-1, 4, -1) * 0.5


@pytest.mark.parametrize("combine", ["mean", "sum"])
def test_a_loss_is_computed_for_each_head_and_d_runs_once(combine):
    calls = []
    got = BoundDiscriminator(counted(narrow, wide, calls=calls), combine).for_each_head(hinge)
    each = [hinge(BoundDiscriminator(lambda batch, head=head: head(batch.x))) for head in (narrow, wide)]
    expected = sum(each) / (2 if combine == "mean" else 1)
    torch.testing.assert_close(got, expected)
    assert len(calls) == 2  # once for each batch, whatever the number of heads
    combined = hinge(BoundDiscriminator(counted(narrow, wide, calls=[]), combine))
    assert not torch.isclose(got, combined)  # the loss of the mean logit is another


def test_outputs_are_those_of_the_same_run():
    calls = []
    d = BoundDiscriminator(counted(narrow, calls=calls))
    assert d.outputs(BATCH).logits is d(BATCH) and len(calls) == 1
    assert d.outputs(BATCH).logits is d.outputs(BATCH)["logits"] and len(calls) == 1
    assert d.outputs(ganbench.Batch(BATCH.x)).logits is not d.outputs(BATCH).logits and len(calls) == 2


def test_d_runs_each_time_that_it_is_called():
    """As a plain function: a graph that was used up does not come back, and dropout is drawn anew."""
    calls = []
    d = BoundDiscriminator(counted(narrow, wide, calls=calls))
    assert d(BATCH) is not d(BATCH) and len(calls) == 2
    seen = []
    d.for_each_head(lambda head: (seen.append([head(OTHER), head(OTHER)]), seen[-1][0].sum())[1])
    assert len(calls) == 4  # twice more, and not for the second head
    assert [(a is b, a.shape) for a, b in seen] == [(False, (6,)), (False, (6, 4, 2))]


def test_what_was_computed_without_a_graph_does_not_serve_where_one_is_needed():
    weight = torch.ones((), requires_grad=True)
    d = BoundDiscriminator(lambda batch: weight * batch.x.sum(1))
    with torch.no_grad():
        assert not d(BATCH).requires_grad
    assert d(BATCH).requires_grad


def test_heads_of_another_count_are_refused():
    d = BoundDiscriminator(lambda batch: [batch.x] * (2 if batch is BATCH else 1))
    with pytest.raises(ValueError, match="returns 1 heads for one batch and more for another"):
        d.for_each_head(hinge)


class Takes(nn.Module):
    def forward(self, x, labels=None, *, condition=None):
        return x


class TakesAnything(nn.Module):
    def forward(self, x, labels=None, **more):
        return x


class TakesNone(nn.Module):
    def forward(self, x, labels=None):
        return x


def test_a_condition_is_given_to_networks_that_take_one():
    condition = torch.zeros(1)
    assert (
        condition_argument(Takes(), condition)
        == {"condition": condition}
        == condition_argument(TakesAnything(), condition)
    )
    assert condition_argument(TakesNone(), condition) == {} == condition_argument(Takes(), None)


def test_gradients_of_all_heads_are_taken_in_one_run():
    calls = []
    d = BoundDiscriminator(counted(lambda x: x.square().sum(1), wide, calls=calls))
    d.for_each_head(lambda head: ganbench.input_gradient(head, BATCH).square().sum())
    assert len(calls) == 1
    ganbench.input_gradient(d, BATCH), ganbench.input_gradient(d, BATCH)
    assert len(calls) == 3  # and anew at each call of one D


def test_the_gradient_of_a_map_is_that_of_its_mean():
    weight = torch.tensor([1.0, 2.0])
    d = BoundDiscriminator(lambda batch: batch.x[:, None, :] * torch.stack([weight, 3 * weight]))
    gradient = ganbench.input_gradient(d, BATCH)
    torch.testing.assert_close(gradient, (weight * 4 / 4).expand(6, 2))
