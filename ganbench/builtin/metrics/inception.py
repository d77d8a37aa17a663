"""Scores on Inception's features by torch-fidelity's protocol, which alone bear the names FID and Inception score."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

import ganbench

from .frechet import Frechet, FrechetInfinity
from .parts import FeaturesOption, require

INCEPTION = "inception-v3"


class FID(Frechet):
    """Fréchet Inception distance as torch-fidelity computes it, on as many samples as the suite says.

    Heusel et al. (2017), https://arxiv.org/abs/1706.08500. Published values are of 50,000 or 10,000 generated samples:
    `fid-50k-train`, `fid-10k-test`.

    Args:
        features: Inception, with options such as `weights`.
    """

    implied_features = INCEPTION

    def __init__(self, *, features: FeaturesOption = INCEPTION) -> None:  # type: ignore[assignment]
        super().__init__(features=features)


class FIDInfinity(FrechetInfinity):
    """FID extrapolated to infinitely many samples, with the slope and R^2 of the fit.

    Args:
        features: Inception, with options such as `weights`.
    """

    implied_features = INCEPTION

    def __init__(self, *, features: FeaturesOption = INCEPTION) -> None:  # type: ignore[assignment]
        super().__init__(features=features)


class FID50kTrain(FID):
    """FID of 50,000 generated pictures against 50,000 training pictures: the protocol of most published values.

    Args:
        features: Inception, with options such as `weights`.
    """

    reference = "training"
    n_samples = 50_000


class FID10kTest(FID):
    """FID of 10,000 generated pictures against 10,000 held-out pictures.

    Args:
        features: Inception, with options such as `weights`.
    """

    n_samples = 10_000


class InceptionScore(ganbench.Metric):
    """Inception score as torch-fidelity computes it: 10 splits, shuffled by its seed, on Inception's logits.

    Salimans et al. (2016), https://arxiv.org/abs/1606.03498. It does not look at real samples.

    Args:
        features: Inception, with options such as `weights`.
    """

    better = "higher"
    implied_features = INCEPTION
    min_samples = 10
    splits, seed = 10, 2020

    def __init__(self, *, features: FeaturesOption = INCEPTION) -> None:  # type: ignore[assignment]
        self.features: ganbench.Features = features()

    def score(self, samples: ganbench.Samples) -> dict[str, ganbench.Estimate]:
        """Return the score of `samples.fake`; NaN if one is not finite."""
        require(samples, self.min_samples)
        logits = samples.embed("fake", self.features, "logits")
        if not logits.isfinite().all():
            return {"": ganbench.Estimate(math.nan, biased=True)}
        return {"": ganbench.Estimate(inception_score(logits, self.splits, self.seed), biased=True)}


def inception_score(logits: Tensor, splits: int, seed: int) -> float:
    """Return exp of the mean divergence of each sample's classes from all samples' in its split, over splits.

    Args:
        logits: Of shape (N, classes).
        splits: Parts of the shuffled samples.
        seed: Of numpy's generator that shuffles.
    """
    n = len(logits)
    order = torch.from_numpy(np.random.RandomState(seed).permutation(n)).to(logits.device)
    log_p = logits[order].double().log_softmax(dim=1)
    scores = []
    for i in range(splits):
        part = log_p[i * n // splits : (i + 1) * n // splits]
        of_all = part.logsumexp(dim=0) - math.log(
            len(part)
        )  # of the mean, where a class may have no probability at all
        scores.append((part.exp() * (part - of_all)).sum(dim=1).mean().exp())
    return float(torch.stack(scores).mean())
