"""Assigns samples to modes: those of a mixture, digits, three stacked digits, or classes of pictures.

Shares no code with the metrics and probes that diagnoses read, on purpose.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

import ganbench

from .pictures import CLASSES, is_picture, look_at

MIN_SPREAD_SAMPLES = 8  # good samples of a mode from which its spread is computed
MAX_DIGIT_DISTANCE = 1.25  # times the distance within which 95 % of digits lie from another one


@dataclass(frozen=True)
class ModeAssignment:
    """Samples assigned to modes.

    Attributes:
        mode: The mode of each sample, of shape (N,), from 0 to `n_modes - 1`.
        good: Whether each sample is a credible one of its mode, of shape (N,).
        offset: The difference of each sample from the centre of its mode, of shape (N, dimensions); of pictures their
            features.
        n_modes: How many modes there are.
    """

    mode: Tensor
    good: Tensor
    offset: Tensor
    n_modes: int

    @property
    def counts(self) -> Tensor:
        """Good samples of each mode."""
        return self.mode[self.good].bincount(minlength=self.n_modes).double()

    def spread(self) -> Tensor:
        """Return the variance of good samples within each mode, of shape (n_modes,); NaN for fewer than 8 samples."""
        spreads = torch.full((self.n_modes,), torch.nan, dtype=torch.float64)
        for mode in torch.nonzero(self.counts >= MIN_SPREAD_SAMPLES).flatten().tolist():
            mine = self.offset[self.good & (self.mode == mode)].double()
            spreads[mode] = mine.var(dim=0).sum()
        return spreads


def assign_modes(x: Tensor, modes: ganbench.Modes | None) -> ModeAssignment:
    """Assign samples of shape (N, *shape) to the nearest of `modes`, or else as digits or as pictures, by their shape.

    Raises ValueError if the modes of such samples are not known.
    """
    if modes is not None:
        exact = "donot_use_mm_for_euclid_dist"
        distance, mode = torch.cdist(x.double(), modes.centres.double(), compute_mode=exact).min(dim=1)
        good = distance <= 3 * modes.sigma * (x.shape[1] / 2) ** 0.5
        return ModeAssignment(mode, good, x.double() - modes.centres.double()[mode], len(modes.centres))
    if is_picture(tuple(x.shape[1:])):
        seen = look_at(x)
        return ModeAssignment(seen.classes, seen.credible, seen.features, CLASSES)
    if x.shape[1:] not in ((1, 8, 8), (3, 8, 8)):
        raise ValueError(f"the modes of samples of shape {tuple(x.shape[1:])} are not known")
    digits, goods = zip(*(_digits(channel.flatten(1)) for channel in x.split(1, dim=1)), strict=True)
    mode = functools.reduce(lambda so_far, digit: 10 * so_far + digit, digits)
    return ModeAssignment(mode, torch.stack(goods).all(dim=0), x.flatten(1), 10 ** len(digits))


def _digits(x: Tensor) -> tuple[Tensor, Tensor]:
    """The digit of the nearest real one, and whether that one is near."""
    images, labels, max_distance = _real_digits()
    finite = torch.isfinite(x).all(dim=1)
    distance, nearest = torch.cdist(torch.where(finite[:, None], x, 0), images).min(dim=1)
    return labels[nearest], (distance <= max_distance) & finite


@functools.cache
def _real_digits() -> tuple[Tensor, Tensor, float]:
    """All of scikit-learn's digits, scaled to [-1, 1], their labels, and how far a credible digit may be from one."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = torch.from_numpy(digits.data).float() / 8 - 1
    apart = torch.cdist(images, images).fill_diagonal_(torch.inf).min(dim=1).values
    return images, torch.from_numpy(digits.target).long(), MAX_DIGIT_DISTANCE * float(apart.quantile(0.95))


def to_coordinates(x: Tensor) -> Tensor:
    """Return what distances are taken in, (N, dimensions): the samples, or the features of known pictures.

    A classifier of pixels, and a distance of them, see that samples are generated, and little of how good they are.
    """
    if not is_picture(tuple(x.shape[1:])):
        return x.flatten(1)
    finite = x.isfinite().flatten(1).all(dim=1)
    return look_at(x).features.masked_fill(~finite[:, None], torch.nan)
