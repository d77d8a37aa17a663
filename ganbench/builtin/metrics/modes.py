"""Mode coverage on points whose modes are exactly known."""

from __future__ import annotations

import math

import torch

import ganbench


class ModeCoverage(ganbench.Metric):
    """Modes covered, high-quality share and reverse KL, on points whose modes are known.

    PacGAN's protocol (Lin et al. 2018, https://arxiv.org/abs/1712.04086). A sample is of high quality if it is within
    three standard deviations (L2) of its nearest mode; one that is not finite never is.

    - `covered`: modes with at least one high-quality sample, 0 to K.
    - `high_quality`: share of all samples, 0 to 1. A perfect sampler reaches 1 - exp(-4.5) = 0.98889 in two
      dimensions, not 1: more means that the modes have shrunk.
    - `reverse_kl`: KL(histogram of high-quality samples over the modes || uniform) in nats, 0 to log K. A
      perfect sampler scores about (K - 1) / 2N. Without any high-quality sample there is no histogram, and the
      score is log K: the largest value, and that of a generator with a single mode.
    """

    better = {"covered": "higher", "high_quality": "higher", "reverse_kl": "lower"}

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the trial's data has no modes to count, or None."""
        if trial.data.kind != "points":
            return f"modes are counted on points, not on {trial.data.kind}"
        return None if trial.data.modes else f"{trial.dataset} does not state its modes"

    def score(self, samples: ganbench.Samples) -> dict[str, float]:
        """Score `samples.fake` (N, dimensions). Raise ValueError if the data set states no modes."""
        if samples.modes is None:
            raise ValueError("the metric 'modes' needs a data set that states its modes; this one does not")
        centres = samples.modes.centres.double()
        exact = "donot_use_mm_for_euclid_dist"  # the default loses digits if modes are narrow and far from 0
        distance, nearest = torch.cdist(samples.fake.double(), centres, compute_mode=exact).min(dim=1)
        good = distance <= 3 * samples.modes.sigma  # false for NaN
        counts = nearest[good].bincount(minlength=len(centres)).double()
        return {
            "covered": float((counts > 0).sum()),
            "high_quality": float(good.double().mean()),
            "reverse_kl": kl_to_uniform(counts),
        }


def kl_to_uniform(counts: torch.Tensor) -> float:
    """Return KL(counts || uniform) in nats of counts (K,); log K, the largest value, if all are zero."""
    if not counts.sum():
        return math.log(len(counts))
    share = counts.double() / counts.sum()
    return max(0.0, float(torch.xlogy(share, share * len(share)).sum()))  # rounding can make it negative
