"""Distances between the distributions of generated and real samples of any kind."""

from __future__ import annotations

import math
from typing import Annotated

import msgspec
import numpy as np
import torch

import ganbench

from .parts import MAX_PAIRED, all_finite

BLOCK_ROWS = 512  # of a block of distances, which takes 2 MB in float64
DIRECTIONS_SEED = 0  # the same directions for all trials, steps and floors


class EnergyDistance(ganbench.Metric):
    """Energy distance between generated and real samples, 0 where they agree.

    2 E|X - Y| - E|X - X'| - E|Y - Y'| with Euclidean norms of flattened samples, in the data's units; not its
    square root. Székely and Rizzo (2013), "Energy statistics: a class of statistics based on distances", J. Stat.
    Plan. Inference 143(8).

    It is their V-statistic, in which a sample is also paired with itself. It is never negative, so a value can be
    divided by its floor, whereas the unbiased U-statistic scatters about 0 if the distributions agree. Its bias, of
    order 1 / N, is in the floor too. NaN if a sample is not finite.
    """

    better = "lower"
    max_samples = MAX_PAIRED

    def score(self, samples: ganbench.Samples) -> dict[str, float]:
        """Return the distance between `samples.fake` (N, *shape) and `samples.real` (M, *shape)."""
        fake, real = samples.fake.flatten(1), samples.real.flatten(1)
        if not (all_finite(fake) and all_finite(real)):
            return {"energy-distance": math.nan}
        centre = real.double().mean(dim=0)  # distances are computed through products, which round less near 0
        between = _mean_distance(fake, real, centre)
        within = _mean_distance(fake, fake, centre) + _mean_distance(real, real, centre)
        return {"energy-distance": max(0.0, 2 * between - within)}


class SlicedWasserstein(ganbench.Metric):
    """Sliced Wasserstein-1 distance between generated and real samples, 0 where they agree.

    The mean over random directions of W1 between the projections of flattened samples, in the data's units. It is
    W1 rather than W2 so that a few outliers do not outweigh the rest. Rabin et al. (2012), "Wasserstein barycenter and
    its application to texture mixing"; Bonneel et al. (2015), "Sliced and Radon Wasserstein barycenters of measures",
    J. Math. Imaging Vis. 51.

    A shift of length s scores about 0.8 s / sqrt(dimensions). NaN if a sample is not finite.

    Args:
        projections: Random directions.
    """

    better = "lower"

    def __init__(self, *, projections: Annotated[int, msgspec.Meta(ge=1)] = 128) -> None:
        self.projections = projections

    def score(self, samples: ganbench.Samples) -> dict[str, float]:
        """Return the distance between `samples.fake` (N, *shape) and `samples.real` (M, *shape)."""
        fake, real = samples.fake.flatten(1), samples.real.flatten(1)
        if not (all_finite(fake) and all_finite(real)):
            return {"sliced-wasserstein": math.nan}
        stream = torch.Generator().manual_seed(DIRECTIONS_SEED)
        directions = torch.randn(fake.shape[1], self.projections, generator=stream, dtype=torch.float64)
        directions /= directions.norm(dim=0)
        distances = _wasserstein_1(fake.double() @ directions, real.double() @ directions)
        return {"sliced-wasserstein": float(distances.mean())}


def _mean_distance(x: torch.Tensor, y: torch.Tensor, centre: torch.Tensor) -> float:
    """Return the mean Euclidean distance over all pairs of rows, by blocks, so that memory does not grow with N * M."""
    total = 0.0
    for x_rows in torch.split(x, BLOCK_ROWS):
        centred = x_rows.double() - centre
        for y_rows in torch.split(y, BLOCK_ROWS):
            total += float(torch.cdist(centred, y_rows.double() - centre).sum())
    return total / (len(x) * len(y))


def _wasserstein_1(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the exact W1 of the columns of x (N, P) and y (M, P), the area between their quantile functions: (P,)."""
    n, m = len(x), len(y)
    # Levels at which either quantile function steps, in units of 1 / (N * M): integers are compared exactly.
    levels = torch.from_numpy(np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n))
    widths = levels.diff(prepend=levels.new_zeros(1)).double() / (n * m)
    gaps = x.sort(dim=0).values[(levels - 1) // m] - y.sort(dim=0).values[(levels - 1) // n]
    distances: torch.Tensor = widths @ gaps.abs()
    return distances
