"""The classifier of MNIST's digits, and the metric that counts modes with it.

Scikit-learn's digits, enlarged, stand in for MNIST, which the tests do not download.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import replace

import pytest
import torch
from ganbench_vision.mnist import Mnist, StackedMnist
from ganbench_vision.mnist_classifier.accuracy import accuracy, scale_to_range
from ganbench_vision.mnist_classifier.network import UNREADABLE, WEIGHTS, classify, load
from ganbench_vision.mnist_modes import MnistModes
from sklearn.datasets import load_digits
from torch.nn import functional
from train_mnist_classifier import train

import ganbench.testing
from ganbench.testing.candidate import trial_on
from ganbench.testing.helpers.metric_cases import MetricCase


@pytest.fixture(scope="module")
def digits():
    """Real handwritten digits, (1797, 1, 28, 28) in [-1, 1], padded as MNIST's are, and their labels."""
    digits = load_digits()
    small = torch.from_numpy(digits.images).float().unsqueeze(1) / 8 - 1
    large = functional.interpolate(small, size=(20, 20), mode="bilinear")
    return functional.pad(large, (4, 4, 4, 4), value=-1.0), torch.from_numpy(digits.target)


@pytest.fixture(scope="module")
def one_of_each(digits):
    """An image of each digit, (10, 1, 28, 28), that is classified correctly."""
    images, labels = digits
    read = classify(images[:100])[:, 0]
    return torch.stack([images[:100][(labels[:100] == digit) & (read == digit)][0] for digit in range(10)])


def stacked(images: torch.Tensor, n: int) -> torch.Tensor:
    """`n` images of three of the digits each, drawn at random: (n, 3, H, W)."""
    which = torch.randint(len(images), (n, 3), generator=torch.Generator().manual_seed(0))
    return images[which, 0]


def score(images: torch.Tensor) -> dict[str, float]:
    spec = ganbench.DataSpec("images", tuple(images.shape[1:]), value_range=(-1.0, 1.0))
    return MnistModes().score(ganbench.Samples(images, images, spec))


# --- the classifier --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [28, 32, 64])
def test_digits_of_another_collection_are_classified_at_every_size(digits, size):
    images, labels = digits
    resized = functional.interpolate(images, size=(size, size), mode="bilinear")
    assert float((classify(resized)[:, 0] == labels).float().mean()) > 0.94


def test_the_classifier_is_small_frozen_and_loaded_once():
    assert load() is load() and not load().training
    assert not any(weight.requires_grad for weight in load().parameters())
    assert WEIGHTS.stat().st_size < 150_000


def test_training_again_gives_the_same_weights_and_leaves_the_global_random_state(digits):
    images, labels = ((digits[0] + 1) * 127.5).byte(), digits[1]
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(1)
    first, second = (train(images, labels, seed=3, epochs=1) for _ in range(2))
    torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert torch.equal(torch.get_rng_state(), before)
    assert accuracy(first, images[:300], labels[:300]) > 0.3  # it has begun to learn


# --- the metric ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_one_image_repeated_is_one_mode(one_of_each, channels):
    images = one_of_each[[3]].expand(50, channels, -1, -1)
    assert score(images) == {"covered": 1.0, "kl": pytest.approx(math.log(10**channels))}


def test_each_mode_once_is_all_modes_evenly(one_of_each):
    assert score(one_of_each) == {"covered": 10.0, "kl": pytest.approx(0, abs=1e-9)}
    every = torch.cartesian_prod(*[torch.arange(10)] * 3)
    assert score(one_of_each[every, 0]) == {"covered": 1000.0, "kl": pytest.approx(0, abs=1e-9)}


def test_a_missing_digit_is_missed_in_every_channel(one_of_each):
    every = torch.cartesian_prod(*[torch.arange(9)] * 3)
    assert score(one_of_each[every, 0]) == {"covered": 729.0, "kl": pytest.approx(math.log(1000 / 729))}


def test_values_beyond_the_range_are_clipped(one_of_each):
    assert score(3 * one_of_each)["covered"] == score((3 * one_of_each).clamp(-1, 1))["covered"]


def test_images_that_are_not_finite_are_in_no_mode(one_of_each):
    images = one_of_each.clone()
    images[2, 0, 5, 5], images[7, 0, 0, 0] = math.nan, math.inf
    assert classify(images)[:, 0].tolist() == [0, 1, UNREADABLE, 3, 4, 5, 6, UNREADABLE, 8, 9]
    assert score(images) == {"covered": 8.0, "kl": pytest.approx(math.log(10 / 8))}
    assert score(torch.full_like(images, math.nan)) == {"covered": 0.0, "kl": pytest.approx(math.log(10))}


def test_it_skips_data_sets_other_than_mnist_and_stacked_mnist():
    def why(name: str, shape: tuple[int, ...]) -> str | None:
        trial = trial_on(ganbench.DataSpec("images", shape))
        parts = replace(trial.components, dataset=ganbench.ComponentRef(name))
        return MnistModes.skip(replace(trial, dataset="mine", components=parts))

    assert why("mnist", (1, 28, 28)) is None and why("mnist", (1, 32, 32)) is None
    assert why("stacked-mnist", (3, 28, 28)) is None
    assert why("fashion-mnist", (1, 28, 28)) == (
        "its classifier is trained on the digits of mnist and stacked-mnist, and mine is fashion-mnist"
    )
    assert why("mnist", (1, 16, 16)) == "its classifier needs digits of at least 28x28 pixels, not 16x16"


METRIC_CHECKS = [check for check in ganbench.testing.checks_of("metric") if check.kinds == ("metric",)]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("check", METRIC_CHECKS, ids=lambda check: check.name)
def test_the_contract_holds_on_digits(digits, monkeypatch, check, channels):
    """The checks run on stand-ins: it skips the data sets that they use by default."""
    images = digits[0] if channels == 1 else stacked(digits[0], 360)
    spec = ganbench.DataSpec("images", tuple(images.shape[1:]), value_range=(-1.0, 1.0))
    cases = [MetricCase("digits", images[:120], images[120:240], spec, None, images[240:360])]
    monkeypatch.setattr("ganbench.testing.kinds.metrics.cases", lambda candidate: cases)
    (candidate,) = ganbench.testing.select_candidates(["metric/mnist-modes"])
    check.run(candidate)


# --- on the real MNIST -----------------------------------------------------------------------------------

REAL = os.environ.get("GANBENCH_TEST_DATA")
real = pytest.mark.skipif(not REAL, reason="GANBENCH_TEST_DATA does not say where the real MNIST is")


@real
@pytest.mark.parametrize("size", [28, 32])
def test_993_in_1000_real_test_digits_are_classified_correctly(size):
    test = Mnist(root=REAL, size=size).held_out()
    assert len(test.x) == 10_000 and accuracy(load(), test.x, test.labels) >= 0.993


@real
def test_real_stacked_digits_score_as_their_labels_say():
    test = Mnist(root=REAL).held_out()
    images = StackedMnist(root=REAL).held_out().x[:5000]
    label = {digit.numpy().tobytes(): int(which) for digit, which in zip(test.x[:, 0], test.labels, strict=True)}
    modes = [tuple(label[channel.numpy().tobytes()] for channel in image) for image in images]
    shares = torch.tensor(list(Counter(modes).values())).double() / len(modes)
    scores = score(scale_to_range(images))
    assert scores["covered"] == pytest.approx(len(shares), abs=3)
    assert len(shares) > 980  # a perfect sampler covers 993, give or take 3
    assert scores["kl"] == pytest.approx(float((shares * (1000 * shares).log()).sum()), abs=0.005)
