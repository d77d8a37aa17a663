"""Sliced Wasserstein distance between generated and real samples."""

import math
from typing import Annotated

import msgspec
import numpy as np
import torch

import ganbench

_SEED = 0  # of the directions: the same for all trials, steps and floors


class SlicedWasserstein(ganbench.Metric):
    """Sliced Wasserstein-1 distance between generated and real samples, 0 where they agree.

    The mean over random directions of W1 between the projections of flattened samples, in the data's units;
    W1 rather than W2, since a few far samples should not outweigh the rest. Rabin et al. (2012), "Wasserstein
    barycenter and its application to texture mixing"; Bonneel et al. (2015), "Sliced and Radon Wasserstein
    barycenters of measures", J. Math. Imaging Vis. 51.

    A shift of length s scores about 0.8 s / sqrt(dimensions).
    NaN if any sample is not finite.
    """

    better = "lower"

    def __init__(self, *, projections: Annotated[int, msgspec.Meta(ge=1)] = 128) -> None:
        self.projections = projections

    def score(self, samples: ganbench.Samples) -> dict[str, float]:
        """The distance between `samples.fake` (N, *shape) and `samples.real` (M, *shape)."""
        fake, real = samples.fake.flatten(1), samples.real.flatten(1)
        if not (fake.isfinite().all() and real.isfinite().all()):
            return {"sliced-wasserstein": math.nan}
        own = torch.Generator().manual_seed(_SEED)
        directions = torch.randn(fake.shape[1], self.projections, generator=own, dtype=torch.float64)
        directions /= directions.norm(dim=0)
        distances = _wasserstein_1(fake.double() @ directions, real.double() @ directions)
        return {"sliced-wasserstein": float(distances.mean())}


def _wasserstein_1(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Exact W1 of the columns of x (N, P) and y (M, P), the area between their quantile functions: (P,)."""
    n, m = len(x), len(y)
    # Levels where either quantile function steps, in units of 1 / (N M): whole numbers meet exactly.
    levels = torch.from_numpy(np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n))
    widths = levels.diff(prepend=levels.new_zeros(1)).double() / (n * m)
    gaps = x.sort(dim=0).values[(levels - 1) // m] - y.sort(dim=0).values[(levels - 1) // n]
    distances: torch.Tensor = widths @ gaps.abs()
    return distances
