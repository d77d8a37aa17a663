"""Fréchet distance between Gaussians fitted to features, and its extrapolation to infinitely many samples."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

import ganbench

from .parts import FeaturesOption, embed_finite, require, shuffle

SAMPLES_PER_DIRECTION = 32  # where there are fewer samples than dimensions: more directions would measure noise
SIZES = 15  # of the subsets that are extrapolated from
MIN_SUBSET = 5000


class Frechet(ganbench.Metric):
    """Fréchet distance between Gaussians fitted to features, generated against real, 0 where they agree.

    |mu1 - mu2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2), in float64 (Heusel et al. 2017, https://arxiv.org/abs/1706.08500).
    It grows as samples get fewer: values of other counts do not compare, and it has no interval.

    With fewer samples than dimensions a covariance is mostly noise. Then the features are projected onto the leading
    principal directions of the real ones, one for each 32 samples, and the score says so.

    Args:
        features: What samples are compared in.
    """

    better = "lower"
    min_samples = 2
    projects = True  # where there are too few samples
    check_options = {"features": "digits"}

    def __init__(self, *, features: FeaturesOption = "lite0") -> None:  # type: ignore[assignment]
        self.features: ganbench.Features = features()

    def score(self, samples: ganbench.Samples) -> dict[str, ganbench.Estimate]:
        """Return the distance of `samples.fake` from `samples.real`; NaN if a generated sample is not finite."""
        require(samples, self.min_samples)
        fake = samples.embed("fake", self.features).double()
        if not fake.isfinite().all():
            return {"": ganbench.Estimate(math.nan, biased=True)}
        mean, covariance, count = reference_gaussian(samples, self.features)
        if len(mean) != fake.shape[1]:
            raise ganbench.CannotScore(
                f"the reference's statistics are of {len(mean)} features, and these are {fake.shape[1]}"
            )
        smaller = min(len(fake), int(count))
        dim, space = fake.shape[1], ""
        if smaller <= dim and self.projects:
            k = max(2, smaller // SAMPLES_PER_DIRECTION)
            if k < dim:
                (directions,) = samples.derive(
                    "real", f"{k} principal directions", lambda: (principal_directions(covariance, k),)
                )
                fake, mean = fake @ directions, mean @ directions
                covariance = directions.T @ covariance @ directions
                space = f"({k} principal directions)"
        (root,) = samples.derive("real", f"root of the covariance {space}", lambda: (covariance_root(covariance),))
        value = distance_of_gaussians(*deviations(fake), mean, root)
        return {"": ganbench.Estimate(value, biased=True, space=space)}


class FrechetInfinity(Frechet):
    """Fréchet distance extrapolated to infinitely many generated samples: what is left of it without its bias.

    A line is fitted to the distances of 15 subsets of generated samples, from 5,000 or a quarter of them to all, against
    1 / N (Chong and Forsyth 2020, https://arxiv.org/abs/1911.07023). Beside its intercept it gives the line's `slope` and
    `r2`: with a small `r2` the intercept says little.

    Args:
        features: What samples are compared in.
    """

    better = {"": "lower", "slope": "lower", "r2": "higher"}  # type: ignore[assignment]
    min_samples = 60
    expected_failures = {"better-is-true": "a steeper slope or a better fit is no better generator"}

    def score(self, samples: ganbench.Samples) -> dict[str, ganbench.Estimate]:
        """Return the intercept, slope and share of explained variance of the line."""
        require(samples, self.min_samples)
        fake = samples.embed("fake", self.features).double()
        if not fake.isfinite().all():
            return dict.fromkeys(self.better, ganbench.Estimate(math.nan))
        mean, covariance, count = reference_gaussian(samples, self.features)
        if len(mean) != fake.shape[1]:
            raise ganbench.CannotScore(
                f"the reference's statistics are of {len(mean)} features, and these are {fake.shape[1]}"
            )
        largest, space = len(fake), ""
        smallest = min(MIN_SUBSET, largest // 4)
        if min(smallest, int(count)) <= fake.shape[1]:
            k = max(2, smallest // SAMPLES_PER_DIRECTION)
            if k < fake.shape[1]:
                directions = principal_directions(covariance, k)
                fake, mean = fake @ directions, mean @ directions
                covariance, space = directions.T @ covariance @ directions, f"({k} principal directions)"
        root = covariance_root(covariance)
        fake = shuffle(fake)
        sizes = np.unique(np.linspace(smallest, largest, SIZES).astype(int))
        values = [distance_of_gaussians(*deviations(fake[:size]), mean, root) for size in sizes]
        intercept, slope, r2 = fit_line(1 / sizes, np.array(values))
        found = {"": intercept, "slope": slope, "r2": r2}
        return {key: ganbench.Estimate(value, biased=key == "", space=space) for key, value in found.items()}


def reference_gaussian(samples: ganbench.Samples, features: ganbench.Features) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean (d,), covariance (d, d) and count of the real features, in float64."""

    def compute() -> tuple[Tensor, ...]:
        real = embed_finite(samples, "real", features).double()
        centred = real - real.mean(dim=0)
        return real.mean(dim=0), centred.T @ centred / (len(real) - 1), torch.tensor(len(real))

    mean, covariance, count = samples.derive("real", "gaussian", compute)
    return mean, covariance, count


def deviations(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean (d,) of features (N, d), and a matrix R (r, d) with R'R their covariance."""
    mean = features.mean(dim=0)
    centred = (features - mean) / math.sqrt(len(features) - 1)
    return mean, centred if len(centred) <= centred.shape[1] else covariance_root(centred.T @ centred)


def covariance_root(covariance: Tensor) -> Tensor:
    """Return a matrix R (r, d) with R'R the covariance (d, d): its Cholesky factor, or from its spectrum if singular."""
    factor, failed = torch.linalg.cholesky_ex(covariance)
    if not failed and factor.isfinite().all():
        return factor.mT.contiguous()
    spectrum, vectors = torch.linalg.eigh(covariance)
    kept = spectrum > spectrum[-1].clamp_min(0) * len(spectrum) * torch.finfo(spectrum.dtype).eps
    return (vectors[:, kept] * spectrum[kept].sqrt()).mT.contiguous()


def principal_directions(covariance: Tensor, k: int) -> Tensor:
    """Return the k directions (d, k) in which the covariance (d, d) is largest."""
    return torch.linalg.eigh(covariance).eigenvectors[:, -k:]


def distance_of_gaussians(mean: Tensor, root: Tensor, other_mean: Tensor, other_root: Tensor) -> float:
    """Return the squared Fréchet distance of two Gaussians with covariances R'R.

    tr (S1 S2)^(1/2) is the sum of the singular values of R1 R2'.
    """
    product = root @ other_root.T
    cross = torch.linalg.svdvals(product).sum() if product.numel() else product.sum()
    apart = (mean - other_mean).square().sum() + root.square().sum() + other_root.square().sum() - 2 * cross
    return max(0.0, float(apart))  # rounding can make it negative if both sides agree


def fit_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Return intercept, slope and R^2 of the least-squares line."""
    slope, intercept = np.polyfit(x, y, 1)
    residual, total = ((y - intercept - slope * x) ** 2).sum(), ((y - y.mean()) ** 2).sum()
    return float(intercept), float(slope), float(1 - residual / total) if total > 0 else math.nan
