"""Metrics of images of digits, in the feature space of the digit classifier that ganbench ships."""

from __future__ import annotations

import math
from typing import Annotated

import msgspec
import torch

import ganbench

from ..features.digits import classify_digits, digit_features, why_unreadable
from .modes import kl_to_uniform

MAX_CHUNK = 512  # rows whose distances to all others are computed at once


class DigitModes(ganbench.Metric):
    """Modes covered and KL to uniform, where an image's mode is the digit in each channel.

    The protocol of stacked MNIST (Metz et al. 2017, https://arxiv.org/abs/1611.02163; Lin et al. 2018,
    https://arxiv.org/abs/1712.04086): each of the C channels is classified as a digit, which makes K = 10**C
    modes.

    - `covered`: distinct modes among the generated images, 0 to K.
    - `kl`: KL(histogram of generated images over the modes || uniform) in nats, 0 to log K; a perfect sampler
      scores about (K - 1) / 2N if N is well above K. An image that is not finite is in no mode; without a finite one,
      `kl` is log K.

    Since the classifier takes every image for some digit, these measure diversity and not quality: read them beside
    `prdc-digits` or `frechet-digits`.
    """

    better = {"covered": "higher", "kl": "lower"}
    skip = staticmethod(why_unreadable)

    def score(self, samples: ganbench.Samples) -> dict[str, float]:
        """Score `samples.fake` (N, C, H, W), images in [-1, 1]."""
        digits = classify_digits(samples.fake)
        channels = digits.shape[1]
        digits = digits[(digits >= 0).all(dim=1)]
        mode = (digits * 10 ** torch.arange(channels)).sum(dim=1)
        counts = mode.bincount(minlength=10**channels).double()
        return {"covered": float((counts > 0).sum()), "kl": kl_to_uniform(counts)}


class FrechetDigits(ganbench.Metric):
    """Fréchet distance between Gaussians fitted to digit features, generated against real.

    The formula of Heusel et al. (2017, https://arxiv.org/abs/1706.08500), computed by torch-fidelity, on the
    features of the digit classifier that ganbench ships. Values can be compared with each other and with their
    floor, but not with any FID. NaN if a sample is not finite, or there are fewer than two on a side, which have no
    covariance.
    """

    better = "lower"
    skip = staticmethod(why_unreadable)

    def score(self, samples: ganbench.Samples) -> dict[str, float]:
        """Return the distance of `samples.fake` (N, C, H, W) from `samples.real` (M, C, H, W), images in [-1, 1]."""
        # Imported here because it takes seconds and 160 MB.
        from torch_fidelity.metric_fid import (
            KEY_METRIC_FID,
            fid_features_to_statistics,
            fid_statistics_to_metric,
        )

        features = [digit_features(images).double() for images in (samples.fake, samples.real)]
        if any(len(rows) < 2 or not rows.isfinite().all() for rows in features):
            return {"frechet-digits": math.nan}
        fake, real = (fid_features_to_statistics(rows) for rows in features)
        distance = fid_statistics_to_metric(fake, real, verbose=False)[KEY_METRIC_FID]
        return {"frechet-digits": max(0.0, distance)}  # rounding can make it negative if both sides agree


class PrdcDigits(ganbench.Metric):
    """Precision, recall, density and coverage of generated images, in digit features.

    Precision and recall follow Kynkäänniemi et al. (2019, https://arxiv.org/abs/1904.06991), computed by
    torch-fidelity; density and coverage follow Naeem et al. (2020, https://arxiv.org/abs/2002.09797). All
    use balls around samples that reach to the `neighbours`-th nearest neighbour. All are between 0 and 1 but
    density, which can exceed 1.

    A generated sample that is not finite is in no ball and has none. If no more than `neighbours` generated samples
    are finite, all four are 0; if no more were given on either side, they are undefined: NaN.

    Args:
        neighbours: The nearest neighbour that a ball reaches to.
    """

    better = {"precision": "higher", "recall": "higher", "density": "higher", "coverage": "higher"}
    skip = staticmethod(why_unreadable)

    def __init__(self, *, neighbours: Annotated[int, msgspec.Meta(ge=1)] = 5) -> None:
        self.neighbours = neighbours

    def score(self, samples: ganbench.Samples) -> dict[str, float]:
        """Score `samples.fake` (N, C, H, W) against `samples.real` (M, C, H, W), images in [-1, 1]."""
        # In float64: distances are computed through products, and must distinguish equal samples from near ones.
        fake, real = digit_features(samples.fake).double(), digit_features(samples.real).double()
        if min(len(fake), len(real)) <= self.neighbours or not real.isfinite().all():
            return dict.fromkeys(self.better, math.nan)
        finite = fake.isfinite().all(dim=1)
        if finite.sum() <= self.neighbours:
            return dict.fromkeys(self.better, 0.0)
        precision, recall = self._precision_recall(fake[finite], real)
        density, coverage = density_coverage(fake[finite], real, self.neighbours)
        share = float(finite.double().mean())
        return {
            "precision": precision * share,
            "recall": recall,
            "density": density * share,
            "coverage": coverage,
        }

    def _precision_recall(self, fake: torch.Tensor, real: torch.Tensor) -> tuple[float, float]:
        # Imported here because it takes seconds and 160 MB.
        from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

        scores = prc_features_to_metric(
            features_1=fake,
            features_2=real,
            prc_neighborhood=self.neighbours,
            prc_batch_size=MAX_CHUNK,
            save_cpu_ram=True,
            verbose=False,
        )
        return scores[KEY_METRIC_PRECISION], scores[KEY_METRIC_RECALL]


def density_coverage(fake: torch.Tensor, real: torch.Tensor, neighbours: int) -> tuple[float, float]:
    """Return density and coverage (Naeem et al. 2020).

    Density is the number of real balls that a generated sample lies in, on average, in units of `neighbours`; coverage
    the share of real balls that hold a generated sample. The balls are open, as in the authors' code, so that real
    samples against themselves have density 1.

    Args:
        fake: Features of generated samples, (N, F).
        real: Features of real samples, (M, F), M > `neighbours`.
        neighbours: The nearest neighbour that a ball reaches to.
    """
    inside, covered = 0.0, 0.0
    for rows in torch.split(real, MAX_CHUNK):
        radii = torch.cdist(rows, real).kthvalue(neighbours + 1, dim=1, keepdim=True).values  # the first is itself
        is_inside = torch.cdist(rows, fake) < radii
        inside += float(is_inside.sum())
        covered += float(is_inside.any(dim=1).sum())
    return inside / (neighbours * len(fake)), covered / len(real)
