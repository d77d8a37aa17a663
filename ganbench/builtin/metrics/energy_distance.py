"""Energy distance between generated and real samples."""

import math

import torch

import ganbench

_BLOCK = 512  # rows a side: a block of distances takes 2 MB


class EnergyDistance(ganbench.Metric):
    """Energy distance between generated and real samples, 0 where they agree.

    2 E|X - Y| - E|X - X'| - E|Y - Y'| with Euclidean norms of flattened samples, in the data's units; not its
    root. Székely and Rizzo (2013), "Energy statistics: a class of statistics based on distances", J. Stat.
    Plan. Inference 143(8). It is their V-statistic, where a sample is also paired with itself: it is never
    negative, so a value can be divided by its floor, while the unbiased U-statistic scatters about 0 where
    the distributions agree. Its bias, of order 1 / N, is in the floor too. NaN if any sample is not finite.
    """

    better = "lower"

    def score(self, samples: ganbench.Samples) -> dict[str, float]:
        """The distance between `samples.fake` (N, *shape) and `samples.real` (M, *shape)."""
        fake, real = samples.fake.flatten(1), samples.real.flatten(1)
        if not (fake.isfinite().all() and real.isfinite().all()):
            return {"energy-distance": math.nan}
        centre = real.double().mean(dim=0)  # distances come from products, which round less around 0
        between = _mean_distance(fake, real, centre)
        within = _mean_distance(fake, fake, centre) + _mean_distance(real, real, centre)
        return {"energy-distance": max(0.0, 2 * between - within)}


def _mean_distance(x: torch.Tensor, y: torch.Tensor, centre: torch.Tensor) -> float:
    """Mean Euclidean distance over all pairs of rows, by blocks, so that memory does not grow with N x M."""
    total = 0.0
    for x_rows in torch.split(x, _BLOCK):
        near = x_rows.double() - centre
        for y_rows in torch.split(y, _BLOCK):
            total += float(torch.cdist(near, y_rows.double() - centre).sum())
    return total / (len(x) * len(y))
