"""Metrics of images of digits, in the feature space of the digit classifier that ganbench ships."""

from __future__ import annotations

from typing import Annotated

import msgspec
import torch

import ganbench

from ..features.digits import DigitFeatures, classify_digits, why_unreadable
from .frechet import Frechet
from .modes import kl_to_uniform
from .neighbours import Prdc


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

    def score(self, samples: ganbench.Samples) -> dict[str, ganbench.Estimate]:
        """Score `samples.fake` (N, C, H, W), images in [-1, 1]."""
        digits = classify_digits(samples.fake)
        channels = digits.shape[1]
        digits = digits[(digits >= 0).all(dim=1)]
        mode = (digits * 10 ** torch.arange(channels)).sum(dim=1)
        counts = mode.bincount(minlength=10**channels).double()
        return {
            "covered": ganbench.Estimate(float((counts > 0).sum()), biased=True),
            "kl": ganbench.Estimate(kl_to_uniform(counts), biased=True),
        }


class FrechetDigits(Frechet):
    """Fréchet distance in the features of the digit classifier that ganbench ships.

    Values can be compared with each other and with their floor, but not with any FID.
    """

    implied_features = "digits"
    skip = staticmethod(why_unreadable)

    check_options: dict[str, str] = {}
    projects = False

    def __init__(self) -> None:
        super().__init__(features=DigitFeatures)


class PrdcDigits(Prdc):
    """Precision, recall, density and coverage in the features of the digit classifier that ganbench ships.

    Args:
        neighbours: The nearest neighbour that a ball reaches to.
    """

    implied_features = "digits"
    skip = staticmethod(why_unreadable)

    check_options: dict[str, str] = {}

    def __init__(self, *, neighbours: Annotated[int, msgspec.Meta(ge=1)] = 5) -> None:
        super().__init__(features=DigitFeatures, neighbours=neighbours)
