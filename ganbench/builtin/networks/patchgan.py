"""PatchGAN (Isola et al. 2017, https://arxiv.org/abs/1611.07004): a discriminator of overlapping patches.

It is that of pix2pix, CycleGAN and the tokenizers of the VQGAN line (Esser et al. 2021, https://arxiv.org/abs/2012.09841).
Weights begin normal with a standard deviation of 0.02, those of batch normalization around 1.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from torch import Tensor, nn

import ganbench

from .layers import Normalization, normalize
from .requirements import channels_with_condition, join_condition, option, refuse, why_no_room

NAME = "patchgan"
KERNEL, SLOPE, STD = 4, 0.2, 0.02
MAX_MULTIPLE = 8  # of the channels, as the map gets smaller


class PatchDiscriminator(nn.Module):
    """PatchGAN: a map of logits, one for each patch of an image, of 70x70 pixels by default.

    Isola et al. (2017), https://arxiv.org/abs/1611.07004. Where the data has images as conditions, it sees both.

    Args:
        data: What samples look like; any images of at least 3 * 2**layers pixels a side.
        width: Channels after the first convolution; doubled with each halving, up to 8 times.
        layers: Convolutions that halve the side: 3 see patches of 70 pixels, 2 of 34, 1 of 16.
        normalization: Of all layers but the first and the last.
    """

    check_options = {"width": 8, "layers": 1}

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the network cannot serve a trial, or None."""
        return _unfit(trial.data, int(str(option(trial, "discriminator", "layers", 3))))

    def __init__(
        self,
        data: ganbench.DataSpec,
        *,
        width: int = 64,
        layers: Annotated[int, msgspec.Meta(ge=1, le=8)] = 3,
        normalization: Normalization = "batch",
    ) -> None:
        super().__init__()
        refuse("discriminator", NAME, _unfit(data, layers))
        first = _initialize(nn.Conv2d(channels_with_condition(data), width, KERNEL, stride=2, padding=1))
        self.net = nn.Sequential(first, nn.LeakyReLU(SLOPE))
        before = width
        for i in range(1, layers + 1):
            channels, stride = width * min(2**i, MAX_MULTIPLE), 2 if i < layers else 1
            biased = normalization != "batch"  # which subtracts the mean
            layer = _initialize(nn.Conv2d(before, channels, KERNEL, stride=stride, padding=1, bias=biased))
            self.net.extend([*normalize(layer, channels, normalization), nn.LeakyReLU(SLOPE)])
            before = channels
        self.net.append(_initialize(nn.Conv2d(before, 1, KERNEL, padding=1)))
        for part in self.modules():
            if isinstance(part, nn.BatchNorm2d):
                nn.init.normal_(part.weight, 1.0, STD)

    def forward(self, x: Tensor, labels: Tensor | None = None, condition: Tensor | None = None) -> Tensor:
        """Map images (N, channels, H, W), and conditions of their size, to logits (N, 1, h, w); labels are ignored."""
        logits: Tensor = self.net(join_condition(x, condition))
        return logits


def _initialize(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.normal_(layer.weight, 0.0, STD)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _unfit(data: ganbench.DataSpec, layers: int) -> str | None:
    return why_no_room(f"PatchGAN with layers = {layers}", data, smallest=3 * 2**layers)
