"""Features of MNIST's digits: what the classifier's last layer is given, for any metric."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from ganbench_vision.mnist_classifier.network import FEATURE_DIM, classify, load
from ganbench_vision.mnist_features import MnistFeatures
from vision_files import write_idx

import ganbench
from ganbench.testing.candidate import trial_on


def images(n: int = 5, channels: int = 1, side: int = 28) -> torch.Tensor:
    return 2 * torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(0)) - 1


@pytest.mark.parametrize("channels", [1, 3])
def test_the_last_layer_classifies_them(channels):
    x = images(channels=channels)
    rows = MnistFeatures()(x)
    assert rows.shape == (5, channels * FEATURE_DIM) and rows.dtype == torch.float32
    digits = load().digits(rows.reshape(5, channels, FEATURE_DIM)).argmax(dim=2)
    assert torch.equal(digits, classify(x))


def test_other_sizes_are_resized_and_values_beyond_the_range_clipped():
    features = MnistFeatures()
    assert features(images(side=32)).shape == (5, FEATURE_DIM)
    assert torch.equal(features(3 * images()), features((3 * images()).clamp(-1, 1)))


def test_an_image_that_is_not_finite_has_no_features():
    x = images()
    x[1, 0, 3, 3] = math.inf
    assert MnistFeatures()(x).isnan().any(dim=1).tolist() == [False, True, False, False, False]


@pytest.mark.parametrize(
    ("name", "shape", "value_range", "words"),
    [
        ("mnist", (1, 28, 28), (-1.0, 1.0), None),
        ("stacked-mnist", (3, 32, 32), (-1.0, 1.0), None),
        ("image-npz", (1, 28, 28), (-1.0, 1.0), None),
        ("cifar-10", (3, 32, 32), (-1.0, 1.0), "is cifar-10"),
        ("mnist", (1, 16, 16), (-1.0, 1.0), "at least 28x28 pixels, not 16x16"),
        ("other", (4, 28, 28), (-1.0, 1.0), "1 to 3 channels, not 4"),
        ("other", (1, 28, 28), (0.0, 1.0), r"in [-1, 1], not in [0, 1]"),
    ],
)
def test_what_shows_no_digits_is_skipped(name, shape, value_range, words):
    trial = trial_on(ganbench.DataSpec("images", shape, value_range=value_range))
    why = MnistFeatures.skip(replace(trial, components=replace(trial.components, dataset=ganbench.ComponentRef(name))))
    assert why is None if words is None else words in why


SUITE = """
seeds = 1
metrics = ["frechet-mnist", "kernel-distance-mnist"]
datasets = ["mnist"]
[training]
steps = 2
batch_size = 8
[evaluation]
samples = 50
[methods.tiny]
loss = "hinge"
generator = { name = "conv", width = 4 }
discriminator = { name = "conv", width = 4 }
"""


def test_metrics_on_them_are_reached_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("GANBENCH_DATA", str(write_idx(tmp_path / "mnist", packed=False, counts=(80, 60)).parent))
    monkeypatch.setenv("GANBENCH_CACHE", "")
    (tmp_path / "tiny.toml").write_text(SUITE)
    comparison = ganbench.run(tmp_path / "tiny.toml", output=tmp_path / "results", executor="inline", device="cpu")
    scores = comparison.scores
    assert set(scores.metric) == {"frechet-mnist", "kernel-distance-mnist"}
    assert np.isfinite(scores[["value", "floor"]]).all(axis=None)
    assert scores.features.str.startswith("mnist").all()
