"""Which kind of real thing each sample is: the mode of a mixture, the digit, the three stacked digits."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

import ganbench

NEAR = 1.25  # times the distance within which 95 % of real samples lie from another one
OF_DIGITS = ((1, 8, 8), (3, 8, 8))  # the shapes of samples that are told by scikit-learn's digits


@dataclass(frozen=True)
class Sorted:
    """Samples sorted into kinds: `kind` (N,) of `kinds`; `good` (N,) where a sample is a credible one of its kind.

    `offset` (N, dimensions) is what sets each sample apart from the centre of its kind.
    """

    kind: Tensor
    good: Tensor
    offset: Tensor
    kinds: int

    @property
    def counts(self) -> Tensor:
        """Good samples of each kind."""
        return self.kind[self.good].bincount(minlength=self.kinds).double()

    def spread(self) -> Tensor:
        """Mean squared offset of good samples of each kind from their own mean; NaN for kinds with fewer than 8."""
        spreads = torch.full((self.kinds,), torch.nan, dtype=torch.float64)
        for kind in torch.nonzero(self.counts >= 8).flatten().tolist():
            mine = self.offset[self.good & (self.kind == kind)].double()
            spreads[kind] = mine.var(dim=0).sum()
        return spreads


def sort(x: Tensor, given: ganbench.Samples) -> Sorted:
    """Sort samples (N, *shape): by the nearest mode, as 8x8 digits in one or three channels, else by real labels.

    Modes and labels are those of what a metric is `given`. By labels it is told well only where real samples lie close
    to one another, as where few numbers make an image of a class: on MNIST at 16x16, strokes that are no digits pass.
    Raises ValueError for samples whose kinds are not known.
    """
    modes = given.modes
    if modes is not None:
        exact = "donot_use_mm_for_euclid_dist"
        distance, kind = torch.cdist(x.double(), modes.centres.double(), compute_mode=exact).min(dim=1)
        good = distance <= 3 * modes.sigma * (x.shape[1] / 2) ** 0.5
        return Sorted(kind, good, x.double() - modes.centres.double()[kind], len(modes.centres))
    if x.shape[1:] in OF_DIGITS:
        kinds, goods = zip(*(_nearest(channel.flatten(1), *_digits()) for channel in x.split(1, dim=1)), strict=True)
        kind = functools.reduce(lambda so_far, digit: 10 * so_far + digit, kinds)
        return Sorted(kind, torch.stack(goods).all(dim=0), x.flatten(1), 10 ** len(kinds))
    if given.labels is not None:
        real = given.real.flatten(1)
        kind, good = _nearest(x.flatten(1), real, given.labels, _near(real))
        return Sorted(kind, good, x.flatten(1), given.spec.classes)
    raise ValueError(f"nothing is known of samples of shape {tuple(x.shape[1:])}")


def _nearest(x: Tensor, real: Tensor, labels: Tensor, near: float) -> tuple[Tensor, Tensor]:
    """The label of the nearest real sample, and whether that one is near."""
    finite = torch.isfinite(x).all(dim=1)
    distance, nearest = torch.cdist(torch.where(finite[:, None], x, 0), real).min(dim=1)
    return labels[nearest], (distance <= near) & finite


def _near(real: Tensor) -> float:
    """How near to another one a real sample lies."""
    apart = torch.cdist(real, real).fill_diagonal_(torch.inf).min(dim=1).values
    return NEAR * float(apart.quantile(0.95))


@functools.cache
def _digits() -> tuple[Tensor, Tensor, float]:
    """All of scikit-learn's digits, scaled to [-1, 1], and how near to another one a real digit lies."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = torch.from_numpy(digits.data).float() / 8 - 1
    return images, torch.from_numpy(digits.target).long(), _near(images)
