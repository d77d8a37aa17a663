"""Assigns samples to modes: those of a mixture, digits, or three stacked digits."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

import ganbench

NEAR = 1.25  # times the distance within which 95 % of held-out digits lie from a training one


@dataclass(frozen=True)
class ModeAssignment:
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


def assign_modes(x: Tensor, modes: ganbench.Modes | None) -> ModeAssignment:
    """Sort samples (N, *shape): by the nearest of `modes`, else as 8x8 digits in one or three channels.

    Raises ValueError for samples whose kinds are not known here.
    """
    if modes is not None:
        exact = "donot_use_mm_for_euclid_dist"
        distance, kind = torch.cdist(x.double(), modes.centres.double(), compute_mode=exact).min(dim=1)
        good = distance <= 3 * modes.sigma * (x.shape[1] / 2) ** 0.5
        return ModeAssignment(kind, good, x.double() - modes.centres.double()[kind], len(modes.centres))
    if x.shape[1:] not in ((1, 8, 8), (3, 8, 8)):
        raise ValueError(f"nothing is known of samples of shape {tuple(x.shape[1:])}")
    kinds, goods = zip(*(_digits(channel.flatten(1)) for channel in x.split(1, dim=1)), strict=True)
    kind = functools.reduce(lambda so_far, digit: 10 * so_far + digit, kinds)
    return ModeAssignment(kind, torch.stack(goods).all(dim=0), x.flatten(1), 10 ** len(kinds))


def _digits(x: Tensor) -> tuple[Tensor, Tensor]:
    """The digit of the nearest real one, and whether that one is near."""
    images, labels, near = _real_digits()
    finite = torch.isfinite(x).all(dim=1)
    distance, nearest = torch.cdist(torch.where(finite[:, None], x, 0), images).min(dim=1)
    return labels[nearest], (distance <= near) & finite


@functools.cache
def _real_digits() -> tuple[Tensor, Tensor, float]:
    """All of scikit-learn's digits, scaled to [-1, 1], and how near to another one a real digit lies."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = torch.from_numpy(digits.data).float() / 8 - 1
    apart = torch.cdist(images, images).fill_diagonal_(torch.inf).min(dim=1).values
    return images, torch.from_numpy(digits.target).long(), NEAR * float(apart.quantile(0.95))
