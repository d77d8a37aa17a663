"""Whether generated samples are new, or copies of training data."""

from __future__ import annotations

import math
from typing import Annotated

import msgspec
import torch
from scipy import stats
from torch import Tensor

import ganbench

from .parts import FeaturesOption, all_finite, embed_finite, require

BLOCK_ROWS = 1024
MIN_CELL = 10  # samples of each kind that a cell needs to be compared


class Authenticity(ganbench.Metric):
    """Share of generated samples that are farther from their nearest training sample than that one is from its own.

    Alaa et al. (2022), https://arxiv.org/abs/2102.08921. 0 for copies; for new samples about one half in few dimensions, and
    more in many, where a few training samples are nearest to most others. The floor, of held-out samples, says how much. It
    does not see memorization that changes samples a little more than training data differ.

    Args:
        features: What samples are compared in.
    """

    better = "higher"
    needs_training = True
    expected_failures = {
        "better-is-true": "it measures how new samples are, and noise is new",
        "the-floor-is-low": "it measures how new samples are, and degraded ones are as new as real ones",
    }
    check_options = {"features": "digits"}

    def __init__(self, *, features: FeaturesOption = "lite0") -> None:  # type: ignore[assignment]
        self.features: ganbench.Features = features()

    def score(self, samples: ganbench.Samples) -> dict[str, ganbench.Estimate]:
        """Return the share, with Wilson's interval of 95 %; NaN if a generated sample is not finite."""
        require(samples, self.min_samples)
        training = embed_finite(samples, "training", self.features)
        fake = samples.embed("fake", self.features)
        if not all_finite(fake):
            return {"": ganbench.Estimate(math.nan)}
        distances, nearest = nearest_training(samples, self.features)
        own, _ = samples.derive("training", "nearest other", lambda: nearest_in(training, training, skip_self=True))
        authentic = distances > own[nearest]
        low, high = stats.binomtest(int(authentic.sum()), len(fake)).proportion_ci(method="wilson")
        return {"": ganbench.Estimate(float(authentic.double().mean()), float(low), float(high))}


class DataCopying(ganbench.Metric):
    """C_T: whether generated samples are nearer to training data than held-out samples are; 0 if alike, below -3 if copied.

    Meehan, Chaudhuri and Dasgupta (2020), "A non-parametric test to detect data-copying in generative models", AISTATS. In
    each cell of a k-means partition of the training data the distances to it of generated and of held-out samples are
    compared by a Mann-Whitney test; the score is the mean of its z over cells, weighted by held-out samples. Far above 0,
    samples are farther from the data than new ones: G underfits.

    Args:
        features: What samples are compared in.
        cells: Cells of the partition.
    """

    better = "higher"
    needs_training = True
    expected_failures = {"better-is-true": "it measures how new samples are, and noise is new"}
    min_samples = 2 * MIN_CELL
    check_options = {"features": "digits"}

    def __init__(
        self,
        *,
        features: FeaturesOption = "lite0",  # type: ignore[assignment]
        cells: Annotated[int, msgspec.Meta(ge=1)] = 5,
    ) -> None:
        self.features: ganbench.Features = features()
        self.cells = cells

    def score(self, samples: ganbench.Samples) -> dict[str, ganbench.Estimate]:
        """Return the mean z; NaN if a generated sample is not finite, or no cell has ten samples of each kind."""
        require(samples, self.min_samples)
        training = embed_finite(samples, "training", self.features, self.min_samples)
        held_out = embed_finite(samples, "real", self.features, self.min_samples)
        fake = samples.embed("fake", self.features)
        if not all_finite(fake):
            return {"": ganbench.Estimate(math.nan, biased=True)}
        (centres,) = samples.derive("training", f"k-means, {self.cells}", lambda: (cluster(training, self.cells),))
        cell_of = [torch.cdist(part, centres).argmin(dim=1).cpu() for part in (fake, held_out)]
        nearest = nearest_training(samples, self.features), nearest_in(held_out, training)
        distances = [found.cpu() for found, _ in nearest]
        total = weight = 0.0
        for cell in range(len(centres)):
            made, new = (d[c == cell].numpy() for d, c in zip(distances, cell_of, strict=True))
            if min(len(made), len(new)) < MIN_CELL:
                continue
            n, m = len(made), len(new)
            u = stats.mannwhitneyu(made, new).statistic
            total += m * (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
            weight += m
        return {"": ganbench.Estimate(total / weight if weight else math.nan, biased=True)}


def nearest_training(samples: ganbench.Samples, features: ganbench.Features) -> tuple[Tensor, Tensor]:
    """Return distances (N,) of generated samples to their nearest training sample, and which those are, for all metrics."""
    fake, training = samples.embed("fake", features), samples.embed("training", features)
    distances, nearest = samples.derive("fake", "nearest training sample", lambda: nearest_in(fake, training))
    return distances, nearest


def nearest_in(points: Tensor, others: Tensor, *, skip_self: bool = False) -> tuple[Tensor, Tensor]:
    """Return distances (N,) of points to their nearest among others, and which those are; of itself for the same set."""
    points, others = points.double(), others.double()
    centre = others.mean(dim=0)
    distances, nearest = [], []
    for start in range(0, len(points), BLOCK_ROWS):
        rows = points[start : start + BLOCK_ROWS]
        table = torch.cdist(rows - centre, others - centre)
        if skip_self:
            at = torch.arange(len(rows), device=table.device)
            table[at, at + start] = torch.inf
        nearest.append(table.argmin(dim=1))
        # From the difference itself: products would leave a small distance between equal samples.
        distances.append((rows - others[nearest[-1]]).norm(dim=1))
    return torch.cat(distances), torch.cat(nearest)


def cluster(points: Tensor, cells: int) -> Tensor:
    """Return the centres of k-means clusters of points (N, dim)."""
    from sklearn.cluster import MiniBatchKMeans

    means = MiniBatchKMeans(min(cells, len(points)), random_state=0, n_init=3).fit(points.cpu().numpy())
    return torch.from_numpy(means.cluster_centers_).to(points)
