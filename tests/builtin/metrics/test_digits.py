"""The digit classifier and the metrics in its features agree with cases worked out by hand."""

import itertools
import math

import pytest
import torch
import train_digits_classifier

from ganbench import CannotScore
from ganbench.builtin.features.digits import WEIGHTS, classify_digits, digit_features, load_classifier
from ganbench.builtin.metrics.neighbours import summarize
from ganbench.builtin.metrics.pairs import compare_between, compare_within


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def density_coverage(fake, real, neighbours):
    radii = [compare_within(part, neighbours).nearest[:, -1] for part in (fake, real)]
    values = summarize(compare_between(fake, real, *radii), neighbours)
    return values["density"], values["coverage"]


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# --- the classifier --------------------------------------------------------------------------------------


def test_the_classifier_recognizes_held_out_digits(digits):
    assert len(digits[1][1]) == 597
    assert train_digits_classifier.accuracy(load_classifier(), *digits[1]) >= 0.98


def test_the_classifier_is_frozen_and_one_for_the_process():
    loaded = load_classifier()
    assert loaded is load_classifier()
    assert not loaded.training
    assert not any(weight.requires_grad for weight in loaded.parameters())


def test_the_weights_are_small_enough_to_ship():
    assert WEIGHTS.stat().st_size < 200_000


def test_training_the_classifier_again_gives_the_same_weights_whatever_the_global_random_state(one_thread):
    torch.manual_seed(1)
    first = train_digits_classifier.train(seed=3, epochs=1).state_dict()
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second = train_digits_classifier.train(seed=3, epochs=1).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(torch.get_rng_state(), before)


def test_features_are_concatenated_channel_by_channel(stacked):
    images = stacked[0][:5]
    alone = [digit_features(images[:, [channel]]) for channel in range(3)]
    torch.testing.assert_close(digit_features(images), torch.cat(alone, dim=1))


def test_a_non_finite_pixel_makes_only_its_image_unreadable(stacked):
    images = stacked[0][:4].clone()
    images[2, 1, 0, 0] = math.inf
    assert digit_features(images).isnan().all(dim=1).tolist() == [False, False, True, False]
    assert not digit_features(images)[[0, 1, 3]].isnan().any()
    assert (classify_digits(images) < 0).all(dim=1).tolist() == [False, False, True, False]


# --- digit-modes -----------------------------------------------------------------------------------------


def test_digit_modes_counts_the_triples_of_stacked_digits(build, samples_of, stacked):
    images, labels = stacked
    scores = build("digit-modes").score(samples_of(images, images))
    true = len({tuple(triple) for triple in labels.tolist()})
    assert scores["covered"] == pytest.approx(true, rel=0.02)
    counts = torch.bincount((labels * torch.tensor([1, 10, 100])).sum(1), minlength=1000).double()
    share = counts / counts.sum()
    assert scores["kl"] == pytest.approx(float(torch.xlogy(share, share * 1000).sum()), rel=0.1)


def test_one_image_of_each_triple_covers_all_modes_evenly(build, samples_of, digits):
    images, labels = digits[0]
    known = classify_digits(images)[:, 0] == labels
    one = torch.stack([images[(labels == digit) & known][0, 0] for digit in range(10)])
    triples = torch.tensor(list(itertools.product(range(10), repeat=3)))
    scores = build("digit-modes").score(samples_of(one[triples], one[triples[:9]]))
    assert scores == {"covered": 1000.0, "kl": pytest.approx(0, abs=1e-12)}


def test_dropped_digits_are_detected(build, samples_of, digits):
    images, labels = digits[1]
    few = images[labels < 5]
    whole, dropped = (build("digit-modes").score(samples_of(x, images)) for x in (images, few))
    assert whole["covered"] == 10
    assert whole["kl"] < 0.02
    assert dropped["kl"] > 0.5
    assert dropped["covered"] < 10


# --- frechet-digits --------------------------------------------------------------------------------------


def test_frechet_follows_the_closed_form_of_gaussians(build, samples_of, monkeypatch):
    """With pixels for features, all independent, it is |mean difference|^2 + sum of (s1 - s2)^2."""
    monkeypatch.setattr("ganbench.builtin.features.digits.digit_features", lambda x: x.flatten(1))
    std = torch.tensor([0.5, 1.0, 2.0, 3.0]).reshape(4, 1, 1)
    fake, real = std * normal(0, 40_000, 4, 1, 1) + 1, normal(1, 40_000, 4, 1, 1)
    expected = 4 + float(((std - 1) ** 2).sum())
    assert build("frechet-digits").score(samples_of(fake, real))["frechet-digits"] == pytest.approx(expected, rel=0.03)


def test_frechet_of_a_set_with_itself_is_zero(build, samples_of, digits):
    images = digits[1][0]
    scale = float(digit_features(images).double().var(dim=0).sum())
    assert 0 <= build("frechet-digits").score(samples_of(images, images))["frechet-digits"] < 1e-6 * scale


def test_frechet_of_a_constant_is_its_distance_to_the_mean_and_the_real_variance(build, samples_of, digits):
    images = digits[1][0]
    constant = images[:1].expand(50, -1, -1, -1)
    real, point = digit_features(images).double(), digit_features(constant)[0].double()
    expected = float(((real.mean(dim=0) - point) ** 2).sum() + real.var(dim=0).sum())
    assert build("frechet-digits").score(samples_of(constant, images))["frechet-digits"] == pytest.approx(
        expected, rel=1e-4
    )


def test_frechet_grows_if_digits_are_missing(build, samples_of, digits):
    (images, labels), (real, _) = digits
    whole, dropped = (
        build("frechet-digits").score(samples_of(x, real))["frechet-digits"]
        for x in (images[:600], images[labels < 5][:600])
    )
    assert dropped > 5 * whole


@pytest.mark.parametrize(("n", "m"), [(1, 30), (30, 1)])
def test_frechet_of_a_single_sample_is_undefined(n, m, build, samples_of, digits):
    images = digits[1][0]
    with pytest.raises(CannotScore, match="it needs at least 2"):
        build("frechet-digits").score(samples_of(images[:n], images[:m]))


# --- prdc-digits -----------------------------------------------------------------------------------------


def test_density_and_coverage_of_a_case_worked_out_by_hand():
    """Balls of radius 1 around 0, 1, 2 and of 8 around 10: the four samples are in 1, 2, 0 and 1 of them."""
    real = torch.tensor([[0.0], [1.0], [2.0], [10.0]])
    fake = torch.tensor([[-0.5], [0.5], [-4.0], [9.0]])
    assert density_coverage(fake, real, neighbours=1) == (4 / 4, 3 / 4)


def test_density_counts_the_balls_in_units_of_neighbours():
    real = torch.tensor([[0.0], [1.0], [2.0], [10.0]])  # radii 2, 1, 2, 9 with two neighbours
    fake = torch.tensor([[1.5], [30.0]])
    assert density_coverage(fake, real, neighbours=2) == (4 / (2 * 2), 1.0)


def test_density_and_coverage_of_real_samples_against_themselves_are_one():
    real = normal(0, 1100, 5).double()  # more rows than two blocks
    density, coverage = density_coverage(real, real, neighbours=5)
    assert density == pytest.approx(1, abs=1e-6)
    assert coverage == 1


def test_real_digits_score_high_and_missing_ones_cost_recall_and_coverage_alone(build, samples_of, digits):
    (images, labels), (real, _) = digits
    whole = build("prdc-digits").score(samples_of(images[:597], real))
    dropped = build("prdc-digits").score(samples_of(images[labels < 5][:597], real))
    assert min(whole.values()) > 0.7
    assert dropped["precision"] == pytest.approx(whole["precision"], abs=0.15)
    assert dropped["recall"] < 0.7
    assert dropped["coverage"] < 0.6


def test_half_of_the_samples_being_bad_halves_precision_and_density(build, samples_of, digits):
    images, real = digits[0][0][:300], digits[1][0]
    broken = torch.cat([images, torch.full_like(images, math.nan)])
    clean, half = (build("prdc-digits").score(samples_of(x, real)) for x in (images, broken))
    assert half == pytest.approx(
        {**clean, "precision": clean["precision"] / 2, "density": clean["density"] / 2}, rel=1e-6
    )


def test_too_few_finite_samples_score_0_and_too_few_samples_score_nan(build, samples_of, digits):
    images = digits[1][0]
    mostly_bad = torch.cat([images[:5], torch.full_like(images[:50], math.nan)])
    assert set(build("prdc-digits").score(samples_of(mostly_bad, images)).values()) == {0.0}
    for fake, real in ((images[:5], images), (images, images[:5])):
        with pytest.raises(CannotScore, match="it needs at least 6 samples of each kind, and there are 5"):
            build("prdc-digits").score(samples_of(fake, real))
    assert all(
        math.isfinite(value) for value in build("prdc-digits").score(samples_of(images[:6], images[:6])).values()
    )


def test_fewer_neighbours_make_smaller_balls(build, samples_of, digits):
    images, real = digits[0][0][:400], digits[1][0]
    few, many = (build("prdc-digits", neighbours=k).score(samples_of(images, real)) for k in (2, 10))
    assert few["precision"] < many["precision"]
    assert few["coverage"] < many["coverage"]


@pytest.mark.parametrize("spoil", ["noise", "shuffled", "grey"])
def test_images_that_are_not_digits_have_no_precision(spoil, build, samples_of, stacked):
    """A classifier trained only to classify takes 76 % of noise for digits; this one must not."""
    fake, real = stacked[0][:500], stacked[0][500:1000]
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    spoiled = {
        "noise": normal(0, *fake.shape),
        "shuffled": fake.flatten(2)[:, :, order].reshape(fake.shape),
        "grey": 0.3 * fake,
    }[spoil]
    assert build("prdc-digits").score(samples_of(fake, real))["precision"] > 0.9
    assert build("prdc-digits").score(samples_of(spoiled.clamp(-1, 1), real))["precision"] < 0.05
