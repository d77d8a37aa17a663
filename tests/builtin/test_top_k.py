"""Top-k training: G learns from the samples with the highest logits, on the paper's schedule."""

from __future__ import annotations

import pytest
import torch

from ganbench import Batch
from ganbench.contract.records import ComponentRef
from ganbench.registry.registry import load_registry
from ganbench.training.discriminator import BoundDiscriminator

LOGITS = torch.tensor([0.3, -1.0, 2.0, 0.5, -0.2, 1.0])


def build(**options):
    return load_registry().build("loss", ComponentRef("top-k", options))


def first_value(batch: Batch) -> torch.Tensor:
    return batch.x[:, 0]


def train_g(loss, run=first_value):
    """Return the gradient that each generated sample gets."""
    fake = Batch(LOGITS[:, None].clone().requires_grad_(), torch.arange(6))
    real = Batch(torch.arange(6.0)[:, None] / 10, torch.arange(6))
    value = loss.generator(BoundDiscriminator(run), real, fake)
    (slope,) = torch.autograd.grad(value, fake.x)
    return value.detach(), slope[:, 0]


def test_g_learns_from_the_k_samples_with_the_highest_logits():
    value, slope = train_g(build(loss="hinge", share=0.5, decay=0.5, interval=1))
    assert slope.nonzero().flatten().tolist() == list(range(6))  # the first update is of all samples
    loss = build(loss="hinge", share=0.5, decay=0.5, interval=1)
    train_g(loss)
    value, slope = train_g(loss)
    assert slope.nonzero().flatten().tolist() == [2, 3, 5]
    assert float(value) == pytest.approx(-(2.0 + 0.5 + 1.0) / 3)


def test_real_samples_of_the_same_places_are_kept_for_losses_that_compare_in_pairs():
    loss = build(loss="relativistic", share=0.5, decay=0.5, interval=1)
    train_g(loss)
    value, _ = train_g(loss)
    pairs = torch.tensor([2.0 - 0.2, 0.5 - 0.3, 1.0 - 0.5])
    assert float(value) == pytest.approx(float(torch.nn.functional.softplus(-pairs).mean()), rel=1e-5)


def test_the_share_falls_by_intervals_to_its_smallest():
    loss = build(share=0.5, decay=0.8, interval=2)
    kept = [int(train_g(loss)[1].count_nonzero()) for _ in range(10)]
    assert kept == [6, 6, 5, 5, 4, 4, 3, 3, 3, 3]


def test_d_learns_from_all_samples_and_runs_once_on_the_whole_batch():
    sizes = []

    def run(batch):
        sizes.append(len(batch))
        return batch.x[:, 0]

    loss = build(loss="hinge", share=0.5, decay=0.5, interval=1)
    train_g(loss)
    sizes.clear()
    train_g(loss, run)
    assert set(sizes) == {6}
    real, fake = Batch(torch.ones(6, 1)), Batch(LOGITS[:, None])
    hinge = load_registry().build("loss", ComponentRef("hinge"))
    d = BoundDiscriminator(first_value)
    assert loss.discriminator(d, real, fake) == hinge.discriminator(d, real, fake)


def test_packs_are_kept_as_a_whole_and_outputs_with_their_samples():
    loss = build(loss="ac", share=0.34, decay=0.34, interval=1)
    seen = []

    def packs(batch):
        seen.append(batch)
        return {"logits": batch.x.view(-1, 2).mean(1), "classes": batch.x * torch.linspace(-1, 1, 6)}

    train_g(loss, packs)
    _, slope = train_g(loss, packs)
    best = LOGITS.view(-1, 2).mean(1).argmax()
    assert slope.nonzero().flatten().tolist() == [2 * best, 2 * best + 1]


def test_maps_are_ranked_by_their_mean():
    loss = build(loss="hinge", share=0.5, decay=0.5, interval=1)
    patches = lambda batch: torch.cat([batch.x, 2 * batch.x], 1)  # noqa: E731
    train_g(loss, patches)
    assert train_g(loss, patches)[1].nonzero().flatten().tolist() == [2, 3, 5]


def test_the_share_is_part_of_a_checkpoint(make_trial, goes_on_as_if_never_left):
    loss = {"name": "top-k", "decay": 0.9, "interval": 1}
    assert goes_on_as_if_never_left(make_trial({"loss": loss, "generator": "mlp", "discriminator": "mlp"}, steps=20))


@pytest.mark.parametrize("options", [{"share": 0.0}, {"decay": 1.1}, {"interval": 0}])
def test_a_schedule_that_is_none_is_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        build(**options)
