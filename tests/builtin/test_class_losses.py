"""Losses with classes agree with their formulas, need what they say they need, and train conditional networks."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from ganbench import Batch
from ganbench.contract.records import ComponentRef
from ganbench.registry.registry import load_registry
from ganbench.training.discriminator import BoundDiscriminator

NAMES = ["ac", "2c", "d2d-ce"]
LABELS = torch.tensor([0, 1, 0, 2])
REAL, FAKE = Batch(torch.randn(4, 3), LABELS), Batch(torch.randn(4, 3), LABELS)
PROXIES = torch.randn(3, 5)


def build(name, **options):
    return load_registry().build("loss", ComponentRef(name, options))


def run(batch):
    """D: a logit, three class logits, and embeddings."""
    features = batch.x @ torch.linspace(-1, 1, 15).view(3, 5)
    return {"logits": batch.x[:, 0], "classes": batch.x, "embedding": features, "proxy": PROXIES[batch.labels]}


def adversarial(name, player, fake=FAKE):
    return float(getattr(build(name), player)(BoundDiscriminator(run), REAL, fake))


def value_of(loss, player):
    return float(getattr(loss, player)(BoundDiscriminator(run), REAL, FAKE))


def cosine(a, b):
    return float(F.cosine_similarity(a, b, dim=0))


def test_ac_adds_the_cross_entropy_of_both_sides_for_d_and_of_generated_samples_for_g():
    def entropy(batch):
        return float(-batch.x.log_softmax(1)[range(4), LABELS].mean())

    loss = build("ac", weight=0.7)
    both, one = entropy(REAL) + entropy(FAKE), entropy(FAKE)
    assert value_of(loss, "discriminator") == pytest.approx(
        adversarial("non-saturating", "discriminator") + 0.7 * both, rel=1e-5
    )
    assert value_of(loss, "generator") == pytest.approx(
        adversarial("non-saturating", "generator") + 0.7 * one, rel=1e-5
    )
    real_alone = build("ac", weight=0.7, on_generated=False)
    assert value_of(real_alone, "discriminator") == pytest.approx(
        adversarial("non-saturating", "discriminator") + 0.7 * entropy(REAL), rel=1e-5
    )


def test_2c_is_the_share_of_ones_class_among_all_neighbours():
    def term(batch, temperature):
        e = run(batch)["embedding"]
        values = []
        for i in range(4):
            own = math.exp(cosine(e[i], PROXIES[LABELS[i]]) / temperature)
            others = {k: math.exp(cosine(e[i], e[k]) / temperature) for k in range(4) if k != i}
            same = sum(value for k, value in others.items() if LABELS[k] == LABELS[i])
            values.append(-math.log((own + same) / (own + sum(others.values()))))
        return sum(values) / 4

    loss = build("2c", weight=0.3, temperature=0.6)
    for player, batch in (("discriminator", REAL), ("generator", FAKE)):
        expected = adversarial("hinge", player) + 0.3 * term(batch, 0.6)
        assert value_of(loss, player) == pytest.approx(expected, rel=1e-4)


def test_d2d_ce_is_the_cross_entropy_against_samples_of_other_classes_beyond_the_margins():
    def term(batch, temperature, margin):
        e = run(batch)["embedding"]
        values = []
        for i in range(4):
            positive = min(0, cosine(e[i], PROXIES[LABELS[i]]) - margin) / temperature
            negatives = [
                max(0, cosine(e[i], e[j]) - (1 - margin)) / temperature for j in range(4) if LABELS[j] != LABELS[i]
            ]
            values.append(-math.log(math.exp(positive) / (math.exp(positive) + sum(map(math.exp, negatives)))))
        return sum(values) / 4

    loss = build("d2d-ce", temperature=0.4, margin=0.9)
    for player, batch in (("discriminator", REAL), ("generator", FAKE)):
        expected = adversarial("hinge", player) + 0.5 * term(batch, 0.4, 0.9)
        assert value_of(loss, player) == pytest.approx(expected, rel=1e-4)


def test_d2d_ce_leaves_samples_alone_that_are_within_the_margins():
    embedding = torch.nn.functional.one_hot(LABELS, 5).float().requires_grad_()
    d = BoundDiscriminator(
        lambda batch: {"logits": batch.x[:, 0], "embedding": embedding, "proxy": torch.eye(3, 5)[LABELS]}
    )
    term = build("d2d-ce").term(d, REAL)
    (slope,) = torch.autograd.grad(term, embedding)
    assert not slope.any()


@pytest.mark.parametrize("name", NAMES)
def test_the_adversarial_loss_is_a_choice_and_reads_the_probabilities(name):
    loss = build(name, loss={"name": "least-squares"}, weight=0.0)
    assert value_of(loss, "generator") == pytest.approx(adversarial("least-squares", "generator"))
    assert loss.probabilities(torch.tensor([2.0]), torch.tensor([-1.0])) == (torch.tensor([1.0]), torch.tensor([0.0]))


@pytest.mark.parametrize("name, output", [("ac", "classes"), ("2c", "embedding"), ("d2d-ce", "embedding")])
def test_a_trial_whose_d_does_not_say_classes_ends_at_once_with_what_to_do(make_trial, run_here, name, output):
    result = run_here(
        make_trial({"loss": name, "generator": "mlp", "discriminator": "mlp"}, datasets=["digits"], metrics=[], steps=3)
    )
    assert result.status == "error" and result.steps == 0
    assert f"needs '{output}' from the discriminator, which returns 'logits'" in result.reason
    assert f'auxiliary = "{output}"' in result.reason


@pytest.mark.parametrize(
    "method",
    [
        {"loss": "ac", "generator": "mlp", "discriminator": "mlp"},
        {"loss": "hinge", "generator": {"name": "mlp", "conditional": True}, "discriminator": "mlp"},
        {"loss": "hinge", "generator": "mlp", "discriminator": {"name": "mlp", "auxiliary": "classes"}},
    ],
)
def test_data_without_classes_is_skipped_with_the_reason(make_trial, run_here, method):
    result = run_here(make_trial(method, steps=3))
    assert result.status == "skipped"
    assert "needs classes, and ring has none" in result.reason


@pytest.mark.parametrize("network", ["mlp", "conv"])
@pytest.mark.parametrize("name", NAMES)
def test_they_train_the_built_in_networks_that_know_classes(make_trial, run_here, name, network):
    auxiliary = "classes" if name == "ac" else "embedding"
    method = {
        "loss": name,
        "generator": {"name": network, "width": 8, "conditional": True},
        "discriminator": {"name": network, "width": 8, "auxiliary": auxiliary},
    }
    result = run_here(make_trial(method, datasets=["digits"], metrics=["energy-distance"], steps=4))
    assert result.status == "done", result.reason


def test_ac_teaches_g_to_make_the_class_that_it_is_told(make_trial, train):
    method = {
        "loss": {"name": "ac", "loss": "relativistic"},
        "generator": {"name": "mlp", "width": 64, "conditional": True},
        "discriminator": {"name": "mlp", "width": 64, "auxiliary": "classes"},
    }
    adam = {"name": "adam", "lr": 2e-3}
    gan = train(make_trial(method, datasets=["digits"], metrics=[], steps=150, optimizer=adam), 150)
    with torch.no_grad():
        real = gan.real_batch()
        fake = gan.generate(torch.randn(len(real), gan.generator.latent_dim), real)
        told = gan.d.outputs(fake)["classes"].argmax(1) == fake.labels
        assert told.float().mean() > 0.9
