"""Maximum mean discrepancy: kernel distances between generated and real samples, in features and as they are."""

from __future__ import annotations

import math

import torch
from torch import Tensor

import ganbench

from .pairs import SUBSET_SIZE, between, draw_subsets, subset_indices, within
from .parts import MAX_PAIRED, FeaturesOption, all_finite, embed_finite, require

Z = 1.959964  # of a 95 % interval
K = 5  # nearest neighbours that the shared pass over all pairs finds: `prdc`'s default, so that there is one pass for both
CMMD_SIGMA, CMMD_SCALE = 10.0, 1000.0
MAX_MEDIAN_SAMPLES = 1000


class KernelDistance(ganbench.Metric):
    """Squared maximum mean discrepancy in features with KID's polynomial kernel, over all pairs; 0 on average if equal.

    The unbiased estimate of Gretton et al. (2012, JMLR 13) with the kernel (x.y / dim + 1)^3 of Binkowski et al. (2018,
    https://arxiv.org/abs/1801.01401). Its interval is of 95 %, from the variance of the U-statistic over both samples. It
    does not depend on how many samples there are, and can be negative where both agree.

    Args:
        features: What samples are compared in.
    """

    better = "lower"
    min_samples = 20
    check_options = {"features": "digits"}

    def __init__(self, *, features: FeaturesOption = "lite0") -> None:  # type: ignore[assignment]
        self.features: ganbench.Features = features()

    def score(self, samples: ganbench.Samples) -> dict[str, ganbench.Estimate]:
        """Return the distance of `samples.fake` from `samples.real`; NaN if a generated sample is not finite."""
        require(samples, self.min_samples)
        embed_finite(samples, "real", self.features, self.min_samples)
        if not all_finite(samples.embed("fake", self.features)):
            return {"": ganbench.Estimate(math.nan)}
        fake, real = (within(samples, part, self.features, K) for part in ("fake", "real"))
        cross = between(samples, self.features, K)
        value, error = discrepancy(
            (fake.kernel, fake.kernel_squares),
            (real.kernel, real.kernel_squares),
            (cross.kernel_fake, cross.kernel_real, cross.kernel_squares),
        )
        return {"": ganbench.Estimate(value, value - Z * error, value + Z * error)}


class KID(ganbench.Metric):
    """Kernel Inception distance as torch-fidelity computes it: the mean over 100 subsets of 1,000, on Inception's features.

    Binkowski et al. (2018), https://arxiv.org/abs/1801.01401; polynomial kernel of degree 3, subsets drawn by its seed.

    Args:
        features: Inception, with options such as `weights`.
    """

    better = "lower"
    implied_features = "inception-v3"
    min_samples = SUBSET_SIZE

    def __init__(self, *, features: FeaturesOption = "inception-v3") -> None:  # type: ignore[assignment]
        self.features: ganbench.Features = features()

    def score(self, samples: ganbench.Samples) -> dict[str, float | ganbench.Estimate]:
        """Return the distance of `samples.fake` from `samples.real`; NaN if a generated sample is not finite."""
        require(samples, self.min_samples)
        real = embed_finite(samples, "real", self.features, self.min_samples)
        fake = samples.embed("fake", self.features)
        if not all_finite(fake):
            return {"": math.nan}
        if draw_subsets(len(fake), len(real)) is None:
            (value,) = samples.derive("fake", "kid", lambda: (torch.tensor(kid(fake, real), dtype=torch.float64),))
            return {"": float(value)}
        xx, yy = (within(samples, part, self.features, K).subsets for part in ("fake", "real"))
        return {"": _mean_discrepancy(xx, yy, between(samples, self.features, K).subsets)}


class MMD(ganbench.Metric):
    """Squared maximum mean discrepancy of the samples as they are, with a Gaussian kernel; 0 on average if equal.

    The unbiased estimate of Gretton et al. (2012, JMLR 13). The kernel's width is the median distance of two real samples,
    estimated on 1,000 of them. Its interval is of 95 %, from the variance of the U-statistic over both samples.
    """

    better = "lower"
    min_samples = 20
    max_samples = MAX_PAIRED

    def score(self, samples: ganbench.Samples) -> dict[str, ganbench.Estimate]:
        """Return the distance of `samples.fake` (N, *shape) from `samples.real` (M, *shape)."""
        require(samples, self.min_samples)
        real = embed_finite(samples, "real", None, self.min_samples).double()
        fake = samples.fake.flatten(1).double()
        if not all_finite(fake):
            return {"": ganbench.Estimate(math.nan)}
        width = float(torch.pdist(real[:MAX_MEDIAN_SAMPLES]).median())
        if width == 0:
            raise ganbench.CannotScore("the real samples are all equal: their distances give no width for the kernel")
        centre = real.mean(dim=0)
        value, error = discrepancy(*gaussian_sums(fake - centre, real - centre, width), cautious=True)
        return {"": ganbench.Estimate(value, value - Z * error, value + Z * error)}


class CMMD(ganbench.Metric):
    """CLIP maximum mean discrepancy: Gaussian kernel of width 10 on CLIP's normalized features, times 1,000.

    Jayasumana et al. (2024), https://arxiv.org/abs/2401.09603; the biased estimate, as there. Pictures are resized as
    torch-fidelity does (bilinear), and by the authors bicubically: values differ a little from theirs.

    Args:
        features: CLIP's ViT-L/14 at 336 pixels, with options such as `weights`.
    """

    better = "lower"
    implied_features = "clip-vit-l-14-336px"

    def __init__(self, *, features: FeaturesOption = "clip-vit-l-14-336px") -> None:  # type: ignore[assignment]
        self.features: ganbench.Features = features()

    def score(self, samples: ganbench.Samples) -> dict[str, ganbench.Estimate]:
        """Return the distance of `samples.fake` from `samples.real`; NaN if a generated sample is not finite."""
        real = embed_finite(samples, "real", self.features).double()
        fake = samples.embed("fake", self.features).double()
        if not all_finite(fake):
            return {"": ganbench.Estimate(math.nan, biased=True)}
        return {"": ganbench.Estimate(cmmd(fake, real), biased=True)}


Sums = tuple[Tensor, Tensor]  # of the kernel of each with all others, (N,), and of its squares over all pairs
CrossSums = tuple[Tensor, Tensor, Tensor]  # of each generated one, of each real one, and of the squares


def discrepancy(fake: Sums, real: Sums, cross: CrossSums, *, cautious: bool = False) -> tuple[float, float]:
    """Return the unbiased squared discrepancy and its standard error, from sums of a kernel.

    The variance is that of the U-statistic: of the means of rows, over both samples, and of what remains of single pairs,
    which is all that there is where both samples are alike (Serfling 1980, chapter 5). Means of rows vary by their single
    pairs too, by twice the latter term in all, which is taken off them.

    Args:
        fake: Sums over pairs of generated samples.
        real: Over pairs of real ones.
        cross: Over pairs of both.
        cautious: Take half of that off: of few dimensions it varies too much from sample to sample, and intervals would too
            often be too narrow. Where both samples are alike the error is then up to twice too large.
    """
    (xx, xx_squares), (yy, yy_squares), (xy, yx, xy_squares) = fake, real, cross
    n, m = len(xx), len(yy)
    mean_xx, mean_yy, mean_xy = xx.sum() / (n * (n - 1)), yy.sum() / (m * (m - 1)), xy.sum() / (n * m)
    value = mean_xx + mean_yy - 2 * mean_xy
    of_x, of_y = xx / (n - 1) - xy / m, yy / (m - 1) - yx / n
    first = 4 * (of_x.var() / n + of_y.var() / m)
    # Variance of the kernel that is left when the means of its rows are taken out.
    rest_x = xx_squares / (n * (n - 1)) - 2 * (xx / (n - 1)).square().mean() + mean_xx.square()
    rest_y = yy_squares / (m * (m - 1)) - 2 * (yy / (m - 1)).square().mean() + mean_yy.square()
    rest_xy = xy_squares / (n * m) - (xy / m).square().mean() - (yx / n).square().mean() + mean_xy.square()
    second = 2 * rest_x / (n * (n - 1)) + 2 * rest_y / (m * (m - 1)) + 4 * rest_xy / (n * m)
    second = second.clamp_min(0)
    taken = second if cautious else 2 * second
    return float(value), math.sqrt(float((first - taken).clamp_min(0) + second))


def gaussian_sums(x: Tensor, y: Tensor, width: float, block: int = 1024) -> tuple[Sums, Sums, CrossSums]:
    """Return sums of the kernel exp(-|x - y|^2 / 2 width^2) over pairs of x (N, d) and y (M, d), in blocks."""

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return torch.cdist(a, b).square_().div_(-2 * width**2).exp_()

    def of_one(points: Tensor) -> Sums:
        rows, squares = [], points.new_zeros(())
        for part in points.split(block):
            values = kernel(part, points)
            rows.append(values.sum(dim=1) - 1)  # without the pair of each with itself
            squares += values.square_().sum() - len(part)
        return torch.cat(rows), squares

    rows, columns, squares = [], y.new_zeros(len(y)), y.new_zeros(())
    for part in x.split(block):
        values = kernel(part, y)
        rows.append(values.sum(dim=1))
        columns += values.sum(dim=0)
        squares += values.square_().sum()
    return of_one(x), of_one(y), (torch.cat(rows), columns, squares)


def kid(fake: Tensor, real: Tensor) -> float:
    """Return the mean unbiased discrepancy over KID's subsets of `fake` and `real`, (N, dim) and (M, dim)."""
    dim, sums = fake.shape[1], []
    for i, j in subset_indices(len(fake), len(real)):
        x, y = fake[i.to(fake.device)], real[j.to(real.device)]
        xx, yy, xy = ((a @ b.T / dim + 1).pow(3) for a, b in ((x, x), (y, y), (x, y)))
        pairs = [k.sum(dtype=torch.float64) - k.diagonal().sum(dtype=torch.float64) for k in (xx, yy)]
        sums.append(torch.stack([*pairs, xy.sum(dtype=torch.float64)]))
    xx, yy, xy = torch.stack(sums, dim=1)
    return _mean_discrepancy(xx, yy, xy)


def _mean_discrepancy(xx: Tensor, yy: Tensor, xy: Tensor) -> float:
    """The mean over KID's subsets from sums of the kernel over the pairs of each, (S,)."""
    values = (xx + yy) / (SUBSET_SIZE * (SUBSET_SIZE - 1)) - 2 * xy / SUBSET_SIZE**2
    return float(values.mean())


def cmmd(fake: Tensor, real: Tensor) -> float:
    """Return CMMD of features (N, dim) and (M, dim), float64, which are normalized first."""
    x, y = (torch.nn.functional.normalize(part, dim=1) for part in (fake, real))
    (xx, _), (yy, _), (xy, _, _) = gaussian_sums(x, y, CMMD_SIGMA)
    n, m = len(x), len(y)
    value = (xx.sum() + n) / n**2 + (yy.sum() + m) / m**2 - 2 * xy.sum() / (n * m)
    return CMMD_SCALE * float(value)
