"""Metrics built as the registry would, and samples to score."""

import importlib

import pytest
import torch
from train_digits_classifier import split

import ganbench
from ganbench import builtin
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
