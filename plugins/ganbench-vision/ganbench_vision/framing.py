"""Crop images to a square, resize them and convert them to grey."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import torch
from PIL.Image import Image

_BATCH_SIZE = 1000  # images transformed at once

AnyImage = TypeVar("AnyImage", torch.Tensor, Image)


@dataclass(frozen=True)
class Framing:
    """Crop to the largest centred square, resize to `size` pixels (None: keep the size), convert to grey (ITU-R 601).

    Resizing is bilinear with antialiasing, in both directions. Raises ValueError if `size` is below 1.
    """

    size: int | None = None
    grey: bool = False

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise ValueError(f"size = {self.size}: give at least 1 pixel")

    def shape(self, channels: int, side: int) -> tuple[int, int, int]:
        """Return the shape of the result for images of so many channels whose shorter side has `side` pixels."""
        size = self.size or side
        return (1 if self.grey else channels, size, size)

    def frame(self, images: AnyImage) -> AnyImage:
        """Transform tensors (..., C, H, W) in uint8, or a Pillow image."""
        from torchvision.transforms.v2 import functional

        if self.grey:
            images = functional.rgb_to_grayscale(images)
        side = min(functional.get_size(images))
        images = functional.center_crop(images, [side, side])
        size = self.size or side
        return images if size == side else functional.resize(images, [size, size], antialias=True)

    def frame_all(self, images: torch.Tensor) -> torch.Tensor:
        """Transform (N, C, H, W) in uint8 into a new tensor, batch by batch to save memory."""
        framed = torch.empty((len(images), *self.shape(images.shape[1], min(images.shape[2:]))), dtype=torch.uint8)
        for here, there in zip(images.split(_BATCH_SIZE), framed.split(_BATCH_SIZE), strict=True):
            there.copy_(self.frame(here))
        return framed
