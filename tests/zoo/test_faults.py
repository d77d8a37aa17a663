"""Each fault component spoils exactly what it names."""

from __future__ import annotations

import pytest
import torch

from ganbench.contract.errors import RequestError
from ganbench.contract.records import Batch, ComponentRef, DataSpec
from ganbench.registry.registry import load_registry

POINTS = DataSpec("points", (2,), modes=8)


def build(kind, name, *given, **options):
    registry = load_registry()
    return registry.build(kind, registry.check(kind, ComponentRef(name, options), "test"), *given)


def test_a_frozen_discriminator_trains_one_weight_that_shifts_all_logits():
    d = build("discriminator", "frozen", POINTS)
    learning = [weight for weight in d.parameters() if weight.requires_grad]
    assert [weight.shape for weight in learning] == [torch.Size([])]
    x = torch.randn(16, 2)
    order = d(x).argsort()
    learning[0].data += 3
    assert torch.equal(order, d(x).argsort())


def test_a_rounding_discriminator_is_blind_within_a_grain_and_passes_gradients():
    d = build("discriminator", "rounding", POINTS, grain=1.0)
    x = torch.tensor([[0.1, 0.2], [0.3, -0.4]], requires_grad=True)
    logits = d(x)
    torch.testing.assert_close(logits[0], logits[1])
    logits.sum().backward()
    assert (x.grad != 0).any()


def test_a_codebook_generator_makes_no_more_than_its_size():
    g = build("generator", "codebook", POINTS, size=5)
    assert len(g(torch.randn(500, g.latent_dim)).unique(dim=0)) <= 5


def test_a_displaced_generator_starts_away_from_the_origin():
    inner = build("generator", "mlp", POINTS)
    g = build("generator", "displaced", POINTS, by=6.0)
    g.network.load_state_dict(inner.state_dict())
    z = torch.randn(8, g.latent_dim)
    torch.testing.assert_close(g(z) - inner(z), torch.tensor([6.0, 0.0]).expand(8, 2))


def test_a_flipped_loss_swaps_a_share_of_real_and_generated_samples():
    loss = build("loss", "flipped", share=1.0)
    inner = build("loss", "non-saturating")
    real, fake = Batch(torch.randn(8, 2)), Batch(torch.randn(8, 2))

    def d(batch):
        return batch.x.sum(dim=1)

    torch.testing.assert_close(loss.discriminator(d, real, fake), inner.discriminator(d, fake, real))
    none = build("loss", "flipped", share=0.0)
    torch.testing.assert_close(none.discriminator(d, real, fake), inner.discriminator(d, real, fake))


def test_a_variance_penalty_is_least_for_one_point():
    penalty = build("regularizer", "variance", weight=2.0)
    real = Batch(torch.randn(500, 2))
    assert float(penalty.penalty(None, real, Batch(torch.ones(500, 2)))) == 0
    torch.testing.assert_close(float(penalty.penalty(None, real, real)), 2.0, atol=1e-5, rtol=0)


def test_few_half_and_unbalanced_train_on_a_part_and_hold_out_all():
    whole = build("dataset", "ring", size=4000)
    few, half, unbalanced = (
        build("dataset", name, inner={"name": "ring", "size": 4000}) for name in ("few", "half", "unbalanced")
    )
    assert len(few.training().x) == 64
    assert half.training().x[:, 0].max() < whole.training().x[:, 0].max() / 2
    modes = torch.cdist(unbalanced.training().x, whole.modes.centres).argmin(dim=1).bincount(minlength=8)
    assert modes[1::2].max() < modes[::2].min() / 20
    for part in (few, half, unbalanced):
        assert torch.equal(part.held_out().x, whole.held_out().x)


def test_without_trains_on_all_but_the_last_classes_and_holds_out_all():
    whole, lacking = build("dataset", "digits"), build("dataset", "without", inner="digits", missing=2)
    assert set(lacking.training().labels.tolist()) == set(range(8))
    assert torch.equal(lacking.held_out().x, whole.held_out().x)


def test_a_blind_discriminator_is_never_shown_a_generated_sample():
    loss = build("loss", "blind")
    fake = torch.randn(8, 2, requires_grad=True)
    value = loss.discriminator(lambda batch: batch.x.sum(dim=1), Batch(torch.randn(8, 2)), Batch(fake))
    assert not value.requires_grad
    assert loss.generator(lambda batch: batch.x.sum(dim=1), Batch(torch.randn(8, 2)), Batch(fake)).requires_grad


@pytest.mark.parametrize(
    ("kind", "name", "options", "said"),
    [
        ("dataset", "few", {"n": 0}, "n = 0"),
        ("dataset", "unbalanced", {"rare": 101}, "rare = 101"),
        ("dataset", "without", {"missing": 10}, "missing = 10"),
        ("dataset", "without", {"inner": "ring"}, "with labels"),
        ("loss", "flipped", {"share": 2.0}, "share = 2.0"),
        ("regularizer", "variance", {"weight": -1.0}, "weight = -1.0"),
    ],
)
def test_values_out_of_bounds_are_refused(kind, name, options, said):
    with pytest.raises((ValueError, RequestError), match=said):
        build(kind, name, **options)
