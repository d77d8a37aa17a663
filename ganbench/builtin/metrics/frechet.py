"""Fréchet distance between Gaussians fitted to features, and its extrapolation to infinitely many samples."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

import ganbench

from .parts import FeaturesOption, all_finite, embed_finite, mean_of, require, shuffle

SAMPLES_PER_DIRECTION = 32  # where there are fewer samples than dimensions: more directions would measure noise
SIZES = 15  # of the subsets that are extrapolated from
MIN_SUBSET = 5000
BLOCK = 1024  # rows that are taken at once
PANELS = 8  # that a large matrix is computed in where a part of it need not be
SMALL = 512  # dimensions up to which singular values are computed directly, and matrices as a whole
MAX_ERROR = 1e-5  # of the distance, that rounding may at most make before singular values are computed directly


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
        fake = samples.embed("fake", self.features)
        if not all_finite(fake):
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
                directions = shared_directions(samples, covariance, k)
                fake, mean = fake.double() @ directions, mean @ directions
                covariance = directions.T @ covariance @ directions
                space = f"({k} principal directions)"
        (root,) = samples.derive("real", f"root of the covariance {space}", lambda: (covariance_root(covariance),))

        def compute() -> tuple[Tensor, ...]:
            return (torch.tensor(distance_of_gaussians(*deviations(fake), mean, root), dtype=torch.float64),)

        (value,) = samples.derive("fake", f"frechet distance {space}", compute)
        return {"": ganbench.Estimate(float(value), biased=True, space=space)}


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
    expected_failures = {
        "better-is-true": "a steeper slope or a better fit is no better generator",
        "the-floor-is-low": "a better fit is no better generator",
    }

    def score(self, samples: ganbench.Samples) -> dict[str, ganbench.Estimate]:
        """Return the intercept, slope and share of explained variance of the line."""
        require(samples, self.min_samples)
        fake = samples.embed("fake", self.features).double()
        if not all_finite(fake):
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
                directions = shared_directions(samples, covariance, k)
                fake, mean = fake @ directions, mean @ directions
                covariance, space = directions.T @ covariance @ directions, f"({k} principal directions)"
        (root,) = samples.derive("real", f"root of the covariance {space}", lambda: (covariance_root(covariance),))
        fake = shuffle(fake)
        sizes = np.unique(np.linspace(smallest, largest, SIZES).astype(int))
        values = [distance_of_gaussians(*deviations(fake[:size]), mean, root) for size in sizes]
        intercept, slope, r2 = fit_line(1 / sizes, np.array(values))
        found = {"": intercept, "slope": slope, "r2": r2}
        return {key: ganbench.Estimate(value, biased=key == "", space=space) for key, value in found.items()}


def reference_gaussian(samples: ganbench.Samples, features: ganbench.Features) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean (d,), covariance (d, d) and count of the real features, in float64."""

    def compute() -> tuple[Tensor, ...]:
        real = embed_finite(samples, "real", features)
        mean = mean_of(real)
        return mean, scatter(real, mean) / (len(real) - 1), torch.tensor(len(real))

    mean, covariance, count = samples.derive("real", "gaussian", compute)
    return mean, covariance, count


def deviations(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean (d,) of features (N, d), and a matrix R (r, d) with R'R their covariance."""
    mean, unit = mean_of(features), math.sqrt(len(features) - 1)
    if len(features) <= features.shape[1]:
        return mean, (features.double() - mean) / unit
    return mean, covariance_root(scatter(features, mean, unit))


def scatter(features: Tensor, mean: Tensor, unit: float = 1.0) -> Tensor:
    """Return the sum of (x - mean)(x - mean)' over features x (N, d), in units of `unit`: (d, d), float64.

    In blocks of rows, so that little of them is held in float64.
    """
    dim = features.shape[1]
    found = torch.zeros(dim, dim, dtype=torch.float64, device=features.device)
    for part in features.split(BLOCK):
        add_gram(found, (part.double() - mean).div_(unit))
    return mirror(found)


def add_gram(found: Tensor, rows: Tensor) -> None:
    """Add x'x of rows x (N, d) to `found` (d, d): of a large matrix the upper half alone, for `mirror` to complete."""
    for panel in panels(len(found)):
        found[panel, panel.start :].addmm_(rows[:, panel].T, rows[:, panel.start :])


def mirror(found: Tensor) -> Tensor:
    """Copy the upper half of a symmetric matrix (d, d) that `add_gram` has filled to its lower half."""
    for panel in panels(len(found)):
        found[panel, : panel.start] = found[: panel.start, panel].T
    return found


def panels(dim: int) -> list[slice]:
    """Return slices that cover `dim` rows or columns: one for a small matrix."""
    width = dim if dim <= SMALL else -(-dim // PANELS)
    return [slice(start, min(start + width, dim)) for start in range(0, dim, width)]


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


def shared_directions(samples: ganbench.Samples, covariance: Tensor, k: int) -> Tensor:
    """Return the k principal directions (d, k) of the reals, computed once for all metrics."""

    def compute() -> tuple[Tensor, ...]:
        return (principal_directions(covariance, k),)

    (directions,) = samples.derive("real", f"{k} principal directions", compute)
    return directions


def distance_of_gaussians(mean: Tensor, root: Tensor, other_mean: Tensor, other_root: Tensor) -> float:
    """Return the squared Fréchet distance of two Gaussians with covariances R'R.

    tr (S1 S2)^(1/2) is the sum of the singular values of R1 R2'. They are the roots of the eigenvalues of its square, which
    are computed ten times faster, unless rounding could then be seen in the distance: small ones lose half their digits.
    """
    product = multiply_roots(root, other_root)
    apart = (mean - other_mean).square().sum() + root.square().sum() + other_root.square().sum()
    if min(product.shape) > SMALL:
        rows = product.T if product.shape[0] <= product.shape[1] else product
        square = torch.zeros(rows.shape[1], rows.shape[1], dtype=rows.dtype, device=rows.device)
        add_gram(square, rows)
        mirror(square)
        singular = torch.linalg.eigvalsh(square).clamp_min(0).sqrt()
        rounding = singular[-1].square() * 16 * torch.finfo(singular.dtype).eps  # of an eigenvalue
        error = (rounding / (2 * singular.clamp_min(rounding.sqrt()))).sum()
        if 2 * error <= MAX_ERROR * (apart - 2 * singular.sum()):
            return float(apart - 2 * singular.sum())
    cross = torch.linalg.svdvals(product).sum() if product.numel() else product.sum()
    return max(0.0, float(apart - 2 * cross))  # rounding can make it negative if both sides agree


def multiply_roots(root: Tensor, other: Tensor) -> Tensor:
    """Return R1 R2', in a third of the work where both are large and triangular, as Cholesky factors are."""
    dim = len(root)
    if dim <= SMALL or not all(part.shape == (dim, dim) and not part.tril(-1).any() for part in (root, other)):
        return root @ other.T
    product = torch.empty_like(root)
    for panel in panels(dim):  # either root is 0 left of its diagonal
        rest, end = slice(panel.start, None), slice(None, panel.stop)
        product[panel, end] = root[panel, rest] @ other[end, rest].T
        product[: panel.start, panel] = root[: panel.start, rest] @ other[panel, rest].T
    return product


def fit_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Return intercept, slope and R^2 of the least-squares line."""
    slope, intercept = np.polyfit(x, y, 1)
    residual, total = ((y - intercept - slope * x) ** 2).sum(), ((y - y.mean()) ** 2).sum()
    return float(intercept), float(slope), float(1 - residual / total) if total > 0 else math.nan
