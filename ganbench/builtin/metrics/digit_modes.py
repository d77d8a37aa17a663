"""Modes of stacked digits, as the digit classifier reads them."""

import torch

import ganbench

from .digits.features import digits_of, refuse_undigital
from .modes import kl_to_uniform


class DigitModes:
    """Modes covered and KL to uniform, where an image's mode is the digit in each channel.

    The protocol of stacked MNIST (Metz et al. 2017, https://arxiv.org/abs/1611.02163; Lin et al. 2018,
    https://arxiv.org/abs/1712.04086): each of the C channels is classified as a digit, which makes K = 10**C
    modes.

    - `covered`: distinct modes among the generated images, 0 to K.
    - `kl`: KL(histogram of generated images over the modes || uniform) in nats, 0 to log K; a perfect sampler
      of N well above K scores about (K - 1) / 2N. A non-finite image is in no mode; without a finite one,
      `kl` is log K.

    The classifier calls every image some digit, so these count diversity and not quality: read them beside
    `prdc-digits` or `frechet-digits`.
    """

    better = {"covered": "higher", "kl": "lower"}
    skip = staticmethod(refuse_undigital)

    def score(self, samples: ganbench.Samples) -> dict[str, float]:
        """Scores of `samples.fake` (N, C, H, W), images in [-1, 1]."""
        digits = digits_of(samples.fake)
        channels = digits.shape[1]
        digits = digits[(digits >= 0).all(dim=1)]
        mode = (digits * 10 ** torch.arange(channels)).sum(dim=1)
        counts = mode.bincount(minlength=10**channels).double()
        return {"covered": float((counts > 0).sum()), "kl": kl_to_uniform(counts)}
