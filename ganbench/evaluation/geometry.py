"""The geometry of real features: what says, beside a floor, how far a distance in them can be trusted."""

from __future__ import annotations

import math

import torch
from torch import Tensor

NEIGHBOUR = 5  # whose distance is taken
BLOCK_ROWS = 512


def effective_rank(features: Tensor) -> float:
    """Return the effective rank of features (N, dim): the exponential of the entropy of their covariance's spectrum.

    Roy and Vetterli (2007), "The effective rank: a measure of effective dimensionality". 1 if all features lie on a line,
    `dim` if they vary alike in all directions; NaN for constant or non-finite features.
    """
    centred = features.double() - features.double().mean(dim=0)
    gram = centred @ centred.T if len(centred) < centred.shape[1] else centred.T @ centred
    if not gram.isfinite().all():
        return math.nan
    spectrum = torch.linalg.eigvalsh(gram).clamp_min(0)
    share = spectrum / spectrum.sum()
    return float(torch.special.entr(share).sum().exp())


def mean_log_density(features: Tensor) -> float:
    """Return the mean of -log of each feature's distance to its 5th nearest neighbour among features (N, dim).

    Duplicates, which have no distance, are left out. NaN with fewer than six features.
    """
    if len(features) <= NEIGHBOUR:
        return math.nan
    points = features.double() - features.double().mean(dim=0)
    distances = torch.cat(
        [
            torch.cdist(rows, points).kthvalue(NEIGHBOUR + 1, dim=1).values  # the first is the row itself
            for rows in points.split(BLOCK_ROWS)
        ]
    )
    return float(-distances[distances > 0].log().mean())
