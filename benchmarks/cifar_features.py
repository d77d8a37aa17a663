"""Real pictures of CIFAR-10 in the features of `lite0`, for benchmarks that ask how metrics behave on them.

The pictures are those of `cifar10_lossless_subset.npz`: arrays train_x, train_y, test_x and test_y, uint8. Features are
computed once and kept in ganbench's cache.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor

import ganbench
from ganbench.builtin.features.lite0 import Lite0
from ganbench.evaluation.cache import CachedSampleSet
from ganbench.evaluation.embedding import SampleSet

CPU = torch.device("cpu")
FILE = "cifar10/cifar10_lossless_subset.npz"

data_option = click.option(
    "--data",
    envvar="GANBENCH_TEST_DATA",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help=f"Folder that holds {FILE}; $GANBENCH_TEST_DATA unless given.",
)


class Given(ganbench.Features):
    """Samples that are features already."""

    preprocessing = "none"

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def __call__(self, samples: Tensor, tap: str = "") -> Tensor:
        """Return the samples."""
        return samples


def load_pictures(data: Path) -> tuple[Tensor, Tensor]:
    """Return all pictures in a fixed random order, (N, 3, 32, 32) in [-1, 1], and their classes, (N,)."""
    for folder in (data, data.parent):  # the tests' variable says where MNIST is, beside which CIFAR-10 may lie
        if (folder / FILE).is_file():
            break
    else:
        raise click.UsageError(f"--data {data}: {FILE} is not there")
    with np.load(folder / FILE, allow_pickle=False) as arrays:
        x, y = (np.concatenate([arrays[f"train_{key}"], arrays[f"test_{key}"]]) for key in "xy")
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    return torch.from_numpy(x)[order].float() / 127.5 - 1, torch.from_numpy(y)[order].long()


def embed(pictures: Tensor) -> Tensor:
    """Return features (N, 1280) of pictures."""
    return CachedSampleSet(pictures, CPU).embed(Lite0())


def score(metrics: Mapping[str, ganbench.Metric], parts: Mapping[str, SampleSet]) -> dict[str, ganbench.Estimate]:
    """Return the scores of metrics that share their work, as in a run.

    Args:
        metrics: By name; of the same features.
        parts: `"fake"`, `"real"`, and `"training"` for metrics that compare with it.
    """
    training = parts.get("training")
    samples = ganbench.Samples(
        parts["fake"].samples,
        parts["real"].samples,
        ganbench.DataSpec("points", tuple(parts["fake"].samples.shape[1:])),
        training=None if training is None else training.samples,
        embedder=lambda part, features, tap: parts[part].embed(features, tap),
        keeper=lambda part, name, compute: parts[part].derive(None, name, compute),
    )
    scores = {}
    for name, metric in metrics.items():
        for key, value in metric.score(samples).items():
            value = value if isinstance(value, ganbench.Estimate) else ganbench.Estimate(value)
            scores[f"{name}.{key}" if key else name] = value
    return scores


def on_given(dim: int, classes: Mapping[str, Callable[..., ganbench.Metric]]) -> dict[str, ganbench.Metric]:
    """Return metrics on features that are given, all on the same."""
    features = Given(dim)
    return {name: build(features=lambda: features) for name, build in classes.items()}
