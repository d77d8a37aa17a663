"""Metrics built as the registry would, and samples to score."""

import gzip
import importlib
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from train_digits_classifier import split

import ganbench
from ganbench import builtin
from ganbench.builtin.features.lite0 import Lite0
from ganbench.registry.registry import load_registry


@pytest.fixture
def build():
    """Build a metric by its name, on the features it declares for checks; its scores as plain numbers."""

    def build(name, **options):
        registry = load_registry()
        declared = getattr(registry.find("metric", name).build, "check_options", {})
        ref = registry.check("metric", ganbench.ComponentRef(name, {**declared, **options}), name)
        metric = registry.build("metric", ref)
        score = metric.score
        metric.score = lambda samples: {key or name: float(value) for key, value in score(samples).items()}
        return metric

    return build


@pytest.fixture
def skip():
    """Ask a metric for the reason why it cannot serve a trial on samples of a kind and shape."""

    def skip(name, kind, shape):
        registry = load_registry()
        declared = getattr(metric_class(name), "check_options", {})
        return registry.skip("metric", ganbench.ComponentRef(name, declared), trial(kind, shape))

    return skip


def metric_class(name):
    components = {component.name: component for component in builtin.ganbench_metrics()}
    module, _, attribute = components[name].build.partition(":")
    return getattr(importlib.import_module(module), attribute)


def trial(kind, shape):
    ref = ganbench.ComponentRef("x")
    return ganbench.Trial(
        id="x",
        suite="x",
        dataset="x",
        method="x",
        seed=0,
        data=ganbench.DataSpec(kind, shape, modes=8 if kind == "points" else 0),
        components=ganbench.Components(ref, ref, ref, ref),
        training=ganbench.Training(1, 1, ref, ref),
        evaluation=ganbench.Evaluation(()),
        diagnoses=(),
    )


@pytest.fixture(scope="session")
def digits():
    """scikit-learn's digits: images and labels for training, and the held-out ones."""
    return split()


@pytest.fixture(scope="session")
def stacked(digits):
    """2,000 images of three held-out digits each, and the digits: (2000, 3, 8, 8) and (2000, 3)."""
    images, labels = digits[1]
    chosen = torch.randint(len(images), (2000, 3), generator=torch.Generator().manual_seed(1))
    return images[chosen, 0], labels[chosen]


@pytest.fixture
def samples_of():
    """Make samples from two tensors."""

    def samples_of(fake, real, modes=None):
        kind = "images" if fake.ndim == 4 else "points"
        return ganbench.Samples(fake, real, ganbench.DataSpec(kind, tuple(fake.shape[1:])), modes)

    return samples_of


@pytest.fixture(scope="session")
def ring():
    """Eight modes on a circle, as PacGAN's."""
    angle = torch.arange(8) * (2 * torch.pi / 8)
    return ganbench.Modes(torch.stack([angle.cos(), angle.sin()], dim=1), 0.01)


@pytest.fixture
def draw():
    """Draw samples from Gaussian modes."""

    def draw(modes, n, seed=0, only=None):
        stream = torch.Generator().manual_seed(seed)
        centres = modes.centres[:only]
        chosen = centres[torch.randint(len(centres), (n,), generator=stream)]
        return chosen + modes.sigma * torch.randn(chosen.shape, generator=stream)

    return draw


class Given(ganbench.Features):
    """Samples that are feature vectors already, and logits."""

    preprocessing, taps = "none", {"logits": 0}

    def __init__(self, dim):
        self.dim = dim

    def __call__(self, samples, tap=""):
        return samples


@pytest.fixture(scope="session")
def score_rows():
    """Score feature vectors by a class of metrics: its estimates by name."""

    def score_rows(kind, fake, real, training=None, **options):
        metric = kind(features=lambda: Given(fake.shape[1]), **options)
        spec = ganbench.DataSpec("points", tuple(fake.shape[1:]))
        values = metric.score(ganbench.Samples(fake, real, spec, training=training))
        return {key: v if isinstance(v, ganbench.Estimate) else ganbench.Estimate(v) for key, v in values.items()}

    return score_rows


@pytest.fixture(scope="session", params=["cifar10", "mnist"])
def picture_rows(request):
    """Features (N, 112) of 1,100 and of 1,050 real pictures, from a shallow layer of lite0, where the pictures are."""
    pytest.importorskip("efficientnet_lite_pytorch")
    folder = Path(os.environ.get("GANBENCH_TEST_DATA") or "nowhere")
    files = {
        "cifar10": "cifar10/cifar10_lossless_subset.npz",
        "mnist": "mnist/train-images-idx3-ubyte.gz",
    }
    found = [path for path in (folder / files[request.param], folder.parent / files[request.param]) if path.is_file()]
    if not found:
        pytest.skip(f"GANBENCH_TEST_DATA does not say where the real {request.param} is")
    if request.param == "cifar10":
        with np.load(found[0], allow_pickle=False) as arrays:
            pictures = arrays["train_x"][:2150]
    else:
        pictures = np.frombuffer(gzip.decompress(found[0].read_bytes()), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    features = Lite0(size=32)
    rows = [features(part, "112") for part in (torch.tensor(pictures[:2150]).float() / 127.5 - 1).split(256)]
    return torch.cat(rows).split([1100, 1050])
