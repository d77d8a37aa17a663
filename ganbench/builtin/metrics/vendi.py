"""Vendi score: the effective number of different samples."""

from __future__ import annotations

import math

import torch
from torch import Tensor

import ganbench

from .parts import FeaturesOption, all_finite, embed_finite, require, shuffle


class Vendi(ganbench.Metric):
    """Vendi score of generated samples over that of as many real ones: 1 if as diverse, 0 if all are alike.

    The exponential of the entropy of the eigenvalues of K / n, with K the cosine similarities of features (Friedman and
    Dieng 2023, https://arxiv.org/abs/2210.02410). It measures diversity and not quality, and depends on the number of
    samples.

    Args:
        features: What samples are compared in.
    """

    better = "higher"
    check_options = {"features": "digits"}

    def __init__(self, *, features: FeaturesOption = "lite0") -> None:  # type: ignore[assignment]
        self.features: ganbench.Features = features()

    def score(self, samples: ganbench.Samples) -> dict[str, ganbench.Estimate]:
        """Return the ratio; NaN if a generated sample is not finite."""
        require(samples, self.min_samples)
        real = embed_finite(samples, "real", self.features)
        fake = samples.embed("fake", self.features)
        if not all_finite(fake):
            return {"": ganbench.Estimate(math.nan, biased=True)}
        n = min(len(fake), len(real))
        (of_real,) = samples.derive("real", f"vendi score of {n}", lambda: (vendi_score(shuffle(real)[:n]),))
        (of_fake,) = samples.derive("fake", f"vendi score of {n}", lambda: (vendi_score(shuffle(fake)[:n]),))
        return {"": ganbench.Estimate(float(of_fake / of_real), biased=True)}


def vendi_score(features: Tensor) -> Tensor:
    """Return the Vendi score of features (N, dim) with cosine similarity, from the smaller of their Gram matrices."""
    rows = torch.nn.functional.normalize(features.double(), dim=1)
    gram = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows
    share = torch.linalg.eigvalsh(gram / len(rows)).clamp_min(0)
    return torch.special.entr(share / share.sum()).sum().exp()
