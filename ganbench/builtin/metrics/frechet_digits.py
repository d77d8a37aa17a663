"""Fréchet distance in the features of the digit classifier."""

import math

import ganbench

from .digits.features import digit_features, refuse_undigital


class FrechetDigits:
    """Fréchet distance between Gaussians fitted to digit features, generated against real.

    The formula of Heusel et al. (2017, https://arxiv.org/abs/1706.08500), computed by torch-fidelity, on the
    features of the digit classifier that ganbench ships: values compare with each other and with their floor,
    and not with any FID. NaN if any sample is not finite, or with fewer than two on a side, which have no
    covariance.
    """

    better = "lower"
    skip = staticmethod(refuse_undigital)

    def score(self, samples: ganbench.Samples) -> dict[str, float]:
        """The distance of `samples.fake` (N, C, H, W) from `samples.real` (M, C, H, W), images in [-1, 1]."""
        # Imported here, since it takes seconds and 160 MB.
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
        return {"frechet-digits": max(0.0, distance)}  # rounding can fall below 0 where both sides agree
