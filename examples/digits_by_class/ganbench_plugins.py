"""Digits by class: a data set whose condition is the class, networks that are told it, and how often they obey."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ganbench


@ganbench.hookimpl
def ganbench_datasets() -> Iterator[ganbench.Component]:
    yield ganbench.Component("digits-by-class", DigitsByClass)


@ganbench.hookimpl
def ganbench_generators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("told", Told)


@ganbench.hookimpl
def ganbench_discriminators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("projection", Projection)


@ganbench.hookimpl
def ganbench_metrics() -> Iterator[ganbench.Component]:
    yield ganbench.Component("class-accuracy", ClassAccuracy)


SPEC = ganbench.DataSpec("images", (1, 8, 8), value_range=(-1.0, 1.0), classes=10, condition=(10,))


def _skip_unless_digits(trial: ganbench.Trial) -> str | None:
    fits = trial.data.shape == SPEC.shape and trial.data.condition == SPEC.condition
    return None if fits else "it takes pictures of 8x8 pixels, each with its class of ten as the condition"


class DigitsByClass(ganbench.Dataset):
    """scikit-learn's handwritten digits of 8x8 pixels, each with its class, one-hot, as the condition."""

    spec = SPEC

    def training(self) -> ganbench.Batch:
        """(1200, 1, 8, 8), labels, and (1200, 10)."""
        return _load(slice(0, 1200))

    def held_out(self) -> ganbench.Batch:
        """(597, 1, 8, 8), labels, and (597, 10)."""
        return _load(slice(1200, None))


def _load(rows: slice) -> ganbench.Batch:
    from sklearn.datasets import load_digits  # takes a second to import

    digits = load_digits()
    order = torch.randperm(len(digits.target), generator=torch.Generator().manual_seed(0))[rows]
    labels = torch.from_numpy(digits.target)[order].long()
    images = torch.from_numpy(digits.images)[order].float().unsqueeze(1) / 8 - 1
    return ganbench.Batch(images, labels, F.one_hot(labels, 10).float())


class Told(nn.Module):
    """A multilayer perceptron that is given noise and class side by side."""

    check_data = (SPEC,)
    skip = staticmethod(_skip_unless_digits)

    def __init__(self, data: ganbench.DataSpec, *, latent_dim: int = 32, width: int = 256) -> None:
        super().__init__()
        assert data.condition is not None
        self.latent_dim, self.shape = latent_dim, data.shape
        self.net = nn.Sequential(
            *(nn.Linear(latent_dim + data.condition[0], width), nn.BatchNorm1d(width), nn.ReLU()),
            *(nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU()),
            *(nn.Linear(width, 64), nn.Tanh()),
        )

    def forward(self, z: Tensor, labels: Tensor | None = None, *, condition: Tensor) -> Tensor:
        """(N, latent_dim) and (N, classes) -> (N, *shape)."""
        x: Tensor = self.net(torch.cat([z, condition], 1))
        return x.unflatten(1, self.shape)


class Projection(nn.Module):
    """Projection discriminator (Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637), fully connected."""

    check_data = (SPEC,)
    skip = staticmethod(_skip_unless_digits)

    def __init__(self, data: ganbench.DataSpec, *, width: int = 256) -> None:
        super().__init__()
        assert data.condition is not None
        self.features = nn.Sequential(
            *(nn.Flatten(), nn.Linear(64, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2))
        )
        self.last, self.of_class = nn.Linear(width, 1), nn.Linear(data.condition[0], width, bias=False)

    def forward(self, x: Tensor, labels: Tensor | None = None, *, condition: Tensor) -> Tensor:
        """(N, *shape) and (N, classes) -> logits (N,)."""
        h = self.features(x)
        logits: Tensor = self.last(h).squeeze(1) + (h * self.of_class(condition)).sum(1) / h.shape[1] ** 0.5
        return logits


class ClassAccuracy(ganbench.Metric):
    """The share of samples that ganbench's digit classifier takes for the class that was asked for."""

    better = "higher"
    skip = staticmethod(_skip_unless_digits)

    def score(self, samples: ganbench.Samples) -> dict[str, float]:
        """Score `samples.fake`; the floor is what the classifier makes of real digits."""
        from ganbench.builtin.features.digits import classify_digits

        assert samples.condition is not None
        told = samples.condition.argmax(1)
        return {"": float((classify_digits(samples.fake)[:, 0] == told).float().mean())}
