"""What feature networks of pictures share: bytes in, three channels, and no number for a picture that is not finite."""

from __future__ import annotations

import math

import torch
from torch import Tensor

import ganbench


class PictureFeatures(ganbench.Features):
    """Features of a network that reads 8-bit colour pictures.

    Values are clipped to [-1, 1] and rounded to 8 bits, as in an image file; grey is repeated to three channels. A picture
    with a value that is not finite has features that are NaN.
    """

    expensive = True

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the trial's samples cannot be read as pictures, or None if they can."""
        data = trial.data
        if data.kind != "images":
            return f"its features are of images, not of {data.kind}"
        if data.shape[0] not in (1, 3):
            return f"its features are of grey or colour images, not of {data.shape[0]} channels"
        if data.value_range not in (None, (-1.0, 1.0)):
            low, high = data.value_range
            return f"its features are of images in [-1, 1], not in [{low:g}, {high:g}]"
        return None

    def extract(self, pictures: Tensor, tap: str) -> Tensor:
        """Return features (N, dim) of pictures (N, 3, H, W) in uint8."""
        raise NotImplementedError

    def __call__(self, samples: Tensor, tap: str = "") -> Tensor:
        """Return features of images (N, 1 or 3, H, W) in [-1, 1], of shape (N, dim)."""
        if samples.ndim != 4 or samples.shape[1] not in (1, 3):
            raise ganbench.CannotScore(f"features of pictures need (N, 1 or 3, H, W), not {tuple(samples.shape)}")
        finite = samples.isfinite().flatten(1).all(dim=1)
        with torch.no_grad():
            features = self.extract(to_bytes(samples).expand(-1, 3, -1, -1), tap)
        return features.masked_fill(~finite[:, None], math.nan)


def to_bytes(images: Tensor) -> Tensor:
    """Return images in [-1, 1] as uint8, rounded to the nearest byte; values beyond are clipped, NaN is 0."""
    return images.nan_to_num().clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
