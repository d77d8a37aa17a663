"""Images as the digit classifier sees them: channel by channel, at 8 x 8 pixels."""

import math

import torch
from torch import Tensor

import ganbench

from .classifier import FEATURES, load

_BLOCK = 1024  # channels classified at once
_SIDE = 8


def refuse_undigital(trial: ganbench.Trial) -> str | None:
    """Why the trial's samples cannot be images of digits, one to each channel; None where they can.

    Whether images of fitting shape do show digits is for the suite's author to know.
    """
    data = trial.data
    if data.kind != "images":
        return f"the digit classifier reads images, not {data.kind}"
    channels, height, width = data.shape
    if channels not in (1, 2, 3):
        return f"the digit classifier reads images of 1 to 3 channels, not {channels}"
    if (height, width) != (_SIDE, _SIDE):  # it names only 38 % of MNIST's digits, scaled down to what it knows
        return f"the digit classifier reads images of {_SIDE}x{_SIDE} pixels, not {height}x{width}"
    return None


def digit_features(images: Tensor) -> Tensor:
    """Features of images (N, C, H, W): (N, C x FEATURES), channel by channel; NaN for a non-finite image."""
    channels, finite = _channels(images)
    rows = torch.cat([load().features(block) for block in torch.split(channels, _BLOCK)])
    features = rows.reshape(len(images), images.shape[1] * FEATURES)
    return features.masked_fill(~finite[:, None], math.nan)


def digits_of(images: Tensor) -> Tensor:
    """The digit in each channel of images (N, C, H, W): (N, C), whole numbers; -1 for a non-finite image."""
    channels, finite = _channels(images)
    digits = torch.cat([load()(block).argmax(dim=1) for block in torch.split(channels, _BLOCK)])
    return digits.reshape(images.shape[:2]).masked_fill(~finite[:, None], -1)


def _channels(images: Tensor) -> tuple[Tensor, Tensor]:
    """Each channel as a picture of its own, (N x C, 1, 8, 8), and which of the N images are finite.

    Values beyond [-1, 1] are clipped, as they would be in a picture file.
    """
    images = images.detach().float()
    finite = images.isfinite().flatten(1).all(dim=1)
    clipped = images.nan_to_num().clamp(-1, 1)
    return clipped.reshape(-1, 1, _SIDE, _SIDE), finite
