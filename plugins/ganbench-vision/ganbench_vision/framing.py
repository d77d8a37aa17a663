"""Images brought to one shape: square, of a size, in colour or grey."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import torch
from PIL.Image import Image

_BLOCK = 1000  # images brought to shape at once

AnyImage = TypeVar("AnyImage", torch.Tensor, Image)


@dataclass(frozen=True)
class Framing:
    """The largest centred square, resized to `size` pixels (None: as it is), grey (ITU-R 601) where asked for.

    Resizing is bilinear with antialiasing, in both directions. Raises ValueError for a size below 1.
    """

    size: int | None = None
    grey: bool = False

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise ValueError(f"size = {self.size}: give at least 1 pixel")

    def shape(self, channels: int, side: int) -> tuple[int, int, int]:
        """What becomes of images with that many channels, whose shorter side has `side` pixels."""
        size = self.size or side
        return (1 if self.grey else channels, size, size)

    def frame(self, images: AnyImage) -> AnyImage:
        """Tensors (..., C, H, W) in uint8, or a picture."""
        from torchvision.transforms.v2 import functional

        if self.grey:
            images = functional.rgb_to_grayscale(images)
        side = min(functional.get_size(images))
        images = functional.center_crop(images, [side, side])
        size = self.size or side
        return images if size == side else functional.resize(images, [size, size], antialias=True)

    def frame_all(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) in uint8 to a tensor of its own, block by block, so that nothing is held twice."""
        framed = torch.empty((len(images), *self.shape(images.shape[1], min(images.shape[2:]))), dtype=torch.uint8)
        for here, there in zip(images.split(_BLOCK), framed.split(_BLOCK), strict=True):
            there.copy_(self.frame(here))
        return framed
