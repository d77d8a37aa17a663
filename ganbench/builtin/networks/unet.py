"""U-Net discriminator: a logit for each pixel (Schönfeld et al. 2020, https://arxiv.org/abs/2002.12655).

In the form that Real-ESRGAN trains (Wang et al. 2021, https://arxiv.org/abs/2107.10833): three halvings, three doublings
that add the map of the way down, and spectral normalization of all layers but the first and the last. Weights begin as
torch's.
"""

from __future__ import annotations

import itertools

import torch.nn.functional as F
from torch import Tensor, nn

import ganbench

from .requirements import channels_with_condition, join_condition, refuse, why_no_room
from .spectral import spectral_norm

NAME = "unet"
HALVINGS, SLOPE = 3, 0.2


class UNetDiscriminator(nn.Module):
    """U-Net discriminator of Real-ESRGAN: a logit for each pixel.

    Wang et al. (2021), https://arxiv.org/abs/2107.10833. Where the data has images as conditions, it sees both.

    Args:
        data: What samples look like; images with sides that are multiples of 8.
        width: Channels at the image's size; doubled with each halving.
    """

    check_options = {"width": 8}

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the network cannot serve a trial, or None."""
        return _unfit(trial.data)

    def __init__(self, data: ganbench.DataSpec, *, width: int = 64) -> None:
        super().__init__()
        refuse("discriminator", NAME, _unfit(data))
        widths = [width * 2**i for i in range(HALVINGS + 1)]
        pairs = list(itertools.pairwise(widths))
        self.first = nn.Conv2d(channels_with_condition(data), width, 3, padding=1)
        self.down = nn.ModuleList(spectral_norm(nn.Conv2d(a, b, 4, stride=2, padding=1, bias=False)) for a, b in pairs)
        self.up = nn.ModuleList(spectral_norm(nn.Conv2d(b, a, 3, padding=1, bias=False)) for a, b in reversed(pairs))
        self.end = nn.ModuleList(spectral_norm(nn.Conv2d(width, width, 3, padding=1, bias=False)) for _ in range(2))
        self.last = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, x: Tensor, labels: Tensor | None = None, condition: Tensor | None = None) -> Tensor:
        """Map images (N, channels, H, W), and conditions of their size, to logits (N, 1, H, W); labels are ignored."""
        x = F.leaky_relu(self.first(join_condition(x, condition)), SLOPE)
        maps = []
        for layer in self.down:
            maps.append(x)
            x = F.leaky_relu(layer(x), SLOPE)
        for layer in self.up:
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = F.leaky_relu(layer(x), SLOPE) + maps.pop()
        for layer in self.end:
            x = F.leaky_relu(layer(x), SLOPE)
        logits: Tensor = self.last(x)
        return logits


def _unfit(data: ganbench.DataSpec) -> str | None:
    return why_no_room("the U-Net discriminator", data, smallest=2**HALVINGS, multiple=2**HALVINGS)
