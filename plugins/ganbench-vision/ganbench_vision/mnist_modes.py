"""Modes of MNIST and of stacked MNIST, counted with a classifier of MNIST's digits."""

from __future__ import annotations

import math

import torch

import ganbench

from .mnist_classifier.network import SIDE, UNREADABLE, classify

_DATASETS = ("mnist", "stacked-mnist")


class MnistModes(ganbench.Metric):
    """Modes covered and KL to uniform on MNIST (10 modes) and stacked MNIST (1,000), by a classifier of MNIST's digits.

    The protocol of stacked MNIST (Metz et al. 2017, https://arxiv.org/abs/1611.02163; Lin et al. 2018,
    https://arxiv.org/abs/1712.04086): each of the C channels is classified as a digit, which makes K = 10**C modes.

    - `covered`: distinct modes among the generated images, 0 to K.
    - `kl`: KL(histogram of generated images over the modes || uniform) in nats, 0 to log K. MNIST's digits are not
      quite even: N real images score about 0.0015 C + (K - 1) / 2N for N well above K. A non-finite image is in no
      mode; without a finite one, `kl` is log K.

    The classifier takes every image for some digit, so these scores measure diversity and not quality: use them beside
    a distance. Images of another size are resized to 28x28, bilinear and antialiased.
    """

    better = {"covered": "higher", "kl": "lower"}

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the metric cannot score this trial: samples that are no MNIST digits, or too small; else None."""
        name = trial.components.dataset.name
        if name not in _DATASETS:
            return (
                f"its classifier is trained on the digits of {' and '.join(_DATASETS)}, and {trial.dataset} is {name}"
            )
        if min(trial.data.shape[1:]) < SIDE:
            height, width = trial.data.shape[1:]
            return f"its classifier needs digits of at least {SIDE}x{SIDE} pixels, not {height}x{width}"
        return None

    def score(self, samples: ganbench.Samples) -> dict[str, float]:
        """Return `covered` and `kl` of `samples.fake`, images (N, C, H, W) in [-1, 1]."""
        digits = classify(samples.fake)
        channels = digits.shape[1]
        readable = digits[(digits != UNREADABLE).all(dim=1)]
        modes = (readable * 10 ** torch.arange(channels)).sum(dim=1)
        counts = modes.bincount(minlength=10**channels).double()
        return {"covered": float((counts > 0).sum()), "kl": _kl_to_uniform(counts)}


def _kl_to_uniform(counts: torch.Tensor) -> float:
    """Return KL(counts (K,) || uniform) in nats; log K, the largest value, if all counts are zero."""
    if not counts.sum():
        return math.log(len(counts))
    share = counts / counts.sum()
    return max(0.0, float(torch.xlogy(share, share * len(share)).sum()))  # rounding can fall below 0
