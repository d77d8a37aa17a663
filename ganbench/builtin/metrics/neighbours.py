"""Precision, recall, density and coverage: which samples lie in the neighbourhoods of others."""

from __future__ import annotations

import math
from typing import Annotated

import msgspec
import torch
from torch import Tensor

import ganbench

from .pairs import Between, Block, between, split_blocks, split_rows, within
from .parts import FeaturesOption, embed_finite, finite_rows, mean_of


class Prdc(ganbench.Metric):
    """Precision, recall, density and coverage of generated samples in features.

    Precision and recall follow Kynkäänniemi et al. (2019, https://arxiv.org/abs/1904.06991), density and coverage Naeem et
    al. (2020, https://arxiv.org/abs/2002.09797). All use balls around samples that reach to the `neighbours`-th nearest
    other. All are between 0 and 1 but density, which can exceed 1, and all depend on how many samples there are.

    A generated sample that is not finite is in no ball and has none. If no more than `neighbours` generated samples are
    finite, all four are 0.

    Args:
        features: What samples are compared in.
        neighbours: The nearest neighbour that a ball reaches to.
    """

    better = {"precision": "higher", "recall": "higher", "density": "higher", "coverage": "higher"}
    check_options = {"features": "digits"}

    def __init__(
        self,
        *,
        features: FeaturesOption = "lite0",  # type: ignore[assignment]
        neighbours: Annotated[int, msgspec.Meta(ge=1)] = 5,
    ) -> None:
        self.features: ganbench.Features = features()
        self.neighbours = neighbours
        self.min_samples = neighbours + 1

    def score(self, samples: ganbench.Samples) -> dict[str, ganbench.Estimate]:
        """Score `samples.fake` (N, *shape) against `samples.real` (M, *shape)."""
        k = self.neighbours
        real, fake = embed_finite(samples, "real", self.features), samples.embed("fake", self.features)
        if min(len(real), len(fake)) <= k:
            few = min(len(real), len(fake))
            raise ganbench.CannotScore(f"it needs at least {k + 1} samples of each kind, and there are {few}")
        finite = finite_rows(fake)
        share = float(finite.double().mean())
        if finite.sum() <= k:
            return {key: ganbench.Estimate(0.0, biased=True) for key in self.better}
        if share < 1:
            kept = fake[finite]
            samples = ganbench.Samples(
                kept, samples.real, samples.spec, embedder=lambda part, *_: kept if part == "fake" else real
            )
        values = summarize(between(samples, self.features, k), k)
        values["precision"] *= share
        values["density"] *= share
        return {key: ganbench.Estimate(value, biased=True) for key, value in values.items()}


def summarize(pairs: Between, k: int) -> dict[str, float]:
    """Return precision, recall, density and coverage from what pairs say, with balls that reach to the `k`-th nearest."""
    return {
        "precision": float(pairs.fake_near_real.double().mean()),
        "recall": float(pairs.real_near_fake.double().mean()),
        "density": float(pairs.reals_around_fake.double().mean()) / k,
        "coverage": float((pairs.fakes_in_real > 0).double().mean()),
    }


class ClippedDensityCoverage(ganbench.Metric):
    """Density and coverage that a few outliers cannot raise, and that fall in step with the share of bad samples.

    Clipped Density and Clipped Coverage (Salvy, Talbot and Thirion 2026, https://arxiv.org/abs/2507.01761).
    Radii of real samples are cut at their median and what one generated sample adds is at most 1; both
    are then mapped so that real samples score 1 on average, and a share p of bad samples 1 - p.

    Args:
        features: What samples are compared in.
        neighbours: The nearest neighbour that a ball reaches to.
    """

    better = {"density": "higher", "coverage": "higher"}
    check_options = {"features": "digits"}

    def __init__(
        self,
        *,
        features: FeaturesOption = "lite0",  # type: ignore[assignment]
        neighbours: Annotated[int, msgspec.Meta(ge=1)] = 5,
    ) -> None:
        self.features: ganbench.Features = features()
        self.neighbours = neighbours
        self.min_samples = 2 * (neighbours + 1)

    def score(self, samples: ganbench.Samples) -> dict[str, ganbench.Estimate]:
        """Score `samples.fake` (N, *shape) against `samples.real` (M, *shape); a sample that is not finite is a bad one."""
        k = self.neighbours
        real, fake = embed_finite(samples, "real", self.features), samples.embed("fake", self.features)
        if min(len(real), len(fake)) < self.min_samples:
            few = min(len(real), len(fake))
            raise ganbench.CannotScore(
                f"it needs at least {self.min_samples} samples of each kind, and there are {few}"
            )
        radii = within(samples, "real", self.features, k).nearest[:, k - 1]
        clipped = radii.minimum(radii.median())
        (ideal,) = samples.derive(
            "real", f"clipped density, {k} nearest", lambda: (_clipped_density(real, real, clipped, k, skip_self=True),)
        )
        finite = finite_rows(fake)
        share = float(finite.double().mean())
        if not finite.any():
            return {key: ganbench.Estimate(0.0) for key in self.better}
        kept = fake[finite]
        density = float(_clipped_density(kept, real, clipped, k) / ideal.clamp_min(1e-12)) * share
        held = count_in_balls(kept, real, radii, around="real").clamp_max(k).double().mean() / k
        coverage = linear_coverage(float(held), len(real), len(fake), k)
        return {"density": ganbench.Estimate(min(density, 1.0)), "coverage": ganbench.Estimate(coverage)}


def _clipped_density(points: Tensor, real: Tensor, radii: Tensor, k: int, *, skip_self: bool = False) -> Tensor:
    """The mean over points (N, dim) of how many real balls hold each, in units of k and at most 1."""
    counts = count_in_balls(points, real, radii, around="fake")
    if skip_self:  # each real point is in its own ball
        counts = counts - 1
    return (counts.double() / k).clamp(0, 1).mean()


def count_in_balls(points: Tensor, real: Tensor, radii: Tensor, around: str) -> Tensor:
    """Return in how many real balls each point is (N,), or how many points each real ball holds (M,).

    Args:
        points: Feature vectors, (N, dim).
        real: Centres of the balls, (M, dim).
        radii: Their squared radii, (M,); a ball includes its border.
        around: `"fake"` to count for each point, `"real"` for each ball.
    """
    centre = mean_of(real)
    counts = torch.zeros(len(points) if around == "fake" else len(real), dtype=torch.long, device=real.device)
    balls = split_blocks(real, centre)
    for a in (Block.of(points, centre, rows) for rows in split_rows(len(points))):
        for b in balls:
            inside = a.excess_over(b, points, real, radii[b.rows][None, :], a.distances_to(b)) <= 0
            if around == "fake":
                counts[a.rows] += inside.sum(dim=1)
            else:
                counts[b.rows] += inside.sum(dim=0)
    return counts


def expected_share(p: float, m: int, n: int, k: int) -> float:
    """Return the expected share of its k nearest that a real ball holds, if a share p of n generated samples is as real.

    With m real samples, the probability that a new real sample falls into a ball that reaches to the k-th nearest of the
    other m - 1 follows Beta(k, m - k); of n, the number in the ball is beta-binomial, and at most k of them count.
    """
    from scipy.stats import betabinom

    good = round(p * n)
    counts = range(k)
    distribution = betabinom(good, k, m - k)
    at_most = sum(min(count, k) * float(distribution.pmf(count)) for count in counts)
    return (at_most + k * float(distribution.sf(k - 1))) / k


def linear_coverage(held: float, m: int, n: int, k: int) -> float:
    """Return the share p of good samples at which balls would hold the share `held` on average, 0 to 1."""
    low, high = 0.0, 1.0
    if held >= expected_share(1.0, m, n, k):
        return 1.0
    for _ in range(math.ceil(math.log2(max(n, 2))) + 2):
        middle = (low + high) / 2
        low, high = (middle, high) if expected_share(middle, m, n, k) < held else (low, middle)
    return (low + high) / 2
