"""Monge inception-like distance: optimal transport of features along random directions."""

from __future__ import annotations

import math
from typing import Annotated

import msgspec
import torch
from torch import Tensor

import ganbench

from .parts import FeaturesOption, all_finite, embed_finite, require, shuffle

DIRECTIONS_SEED = 0  # the same directions for all trials, steps and floors
BLOCK_DIRECTIONS = 250


class Mind(ganbench.Metric):
    """Sliced squared Wasserstein-2 distance of features, times 3 dimensions: what MIND measures.

    (3 d / n M) sum over M directions and n order statistics of (sort(u.X) - sort(u.Y))^2, with unit directions u. It needs
    fewer samples than a Fréchet distance for the same order of methods. It grows as samples get fewer. Of the larger part a
    random subset is taken, as large as the smaller.

    Args:
        features: What samples are compared in.
        directions: M, random directions.
    """

    better = "lower"
    check_options = {"features": "digits"}

    def __init__(
        self,
        *,
        features: FeaturesOption = "lite0",  # type: ignore[assignment]
        directions: Annotated[int, msgspec.Meta(ge=1)] = 1000,
    ) -> None:
        self.features: ganbench.Features = features()
        self.directions = directions

    def score(self, samples: ganbench.Samples) -> dict[str, ganbench.Estimate]:
        """Return the distance of `samples.fake` from `samples.real`; NaN if a generated sample is not finite."""
        require(samples, self.min_samples)
        real = embed_finite(samples, "real", self.features)
        fake = samples.embed("fake", self.features)
        if not all_finite(fake):
            return {"": ganbench.Estimate(math.nan, biased=True)}

        def compute() -> tuple[Tensor, ...]:
            return (torch.tensor(sliced_distance(fake, real, self.directions), dtype=torch.float64),)

        (value,) = samples.derive("fake", f"mind, {self.directions} directions", compute)
        return {"": ganbench.Estimate(float(value), biased=True)}


def sliced_distance(fake: Tensor, real: Tensor, directions: int) -> float:
    """Return MIND of features (N, dim) and (M, dim)."""
    n, dim = min(len(fake), len(real)), fake.shape[1]
    fake, real = (part if len(part) == n else shuffle(part)[:n] for part in (fake, real))
    random = torch.Generator().manual_seed(DIRECTIONS_SEED)
    units = torch.nn.functional.normalize(torch.randn(dim, directions, generator=random), dim=0).to(fake.device)
    total = torch.zeros((), dtype=torch.float64, device=fake.device)
    for part in units.split(BLOCK_DIRECTIONS, dim=1):
        gaps = (fake @ part).sort(dim=0).values - (real @ part).sort(dim=0).values
        total += gaps.square().sum(dtype=torch.float64)
    return float(3 * dim * total / (n * directions))
