"""HiFi-GAN's discriminators of waveforms (Kong et al. 2020, https://arxiv.org/abs/2010.05646).

One looks at every second, third, fifth, seventh and eleventh sample, the other at the signal and at its means over 2 and 4
samples. Each has several heads, whose losses are added; they return their features, for terms that match them. BigVGAN and
many vocoders after it train with both. Weights are normalized (Salimans and Kingma 2016) and begin as torch's.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

import ganbench

from .requirements import refuse
from .spectral import spectral_norm

SLOPE = 0.1  # of the leaky ReLU
PERIOD_WIDTHS, PERIOD_STRIDES = (1, 4, 16, 32, 32), (3, 3, 3, 3, 1)
SCALE_LAYERS = (  # of each convolution: channels as a multiple, kernel, stride, groups
    (1, 15, 1, 1),
    (1, 41, 2, 4),
    (2, 41, 2, 16),
    (4, 41, 4, 16),
    (8, 41, 4, 16),
    (8, 41, 1, 16),
    (8, 5, 1, 1),
)
MIN_LENGTH = 64  # samples of a waveform
CHECK_DATA = (ganbench.DataSpec("waveforms", (1, 256), value_range=(-1.0, 1.0)),)  # what contract checks try them on


class PeriodDiscriminator(nn.Module):
    """HiFi-GAN's multi-period discriminator of waveforms: a head for each period, with its features.

    Kong et al. (2020), https://arxiv.org/abs/2010.05646.

    Args:
        data: What samples look like: waveforms of shape (1, T).
        periods: A head folds the signal into columns of so many samples.
        width: Channels after the first convolution of a head; the last ones have 32 times as many.
    """

    combine = "sum"
    check_options = {"width": 2}
    check_data = CHECK_DATA

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the network cannot serve a trial, or None."""
        return _unfit(trial.data)

    def __init__(
        self, data: ganbench.DataSpec, *, periods: tuple[int, ...] = (2, 3, 5, 7, 11), width: int = 32
    ) -> None:
        super().__init__()
        refuse("discriminator", "hifigan-period", _unfit(data))
        longest = max(periods, default=0)
        if not 1 <= min(periods, default=0) <= longest < data.shape[1]:
            why = f"periods = {list(periods)} are no periods of 1 to {data.shape[1] - 1} samples"
            refuse("discriminator", "hifigan-period", why)
        self.heads = nn.ModuleList(PeriodHead(period, width) for period in periods)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Any]:
        """Map waveforms (N, 1, T) to `logits`, a list of (N, L), and `features`, a list of maps for each head."""
        return _collect(head(x) for head in self.heads)


class ScaleDiscriminator(nn.Module):
    """HiFi-GAN's multi-scale discriminator of waveforms: a head for each scale, with its features.

    Kong et al. (2020), https://arxiv.org/abs/2010.05646; as in MelGAN (Kumar et al. 2019, https://arxiv.org/abs/1910.06711).

    Args:
        data: What samples look like: waveforms of shape (1, T).
        scales: How many; each head sees half as many samples as the one before it.
        width: Channels after the first convolution of a head, a multiple of 16; the last ones have 8 times as many.
    """

    combine = "sum"
    check_options = {"width": 16}
    check_data = CHECK_DATA

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the network cannot serve a trial, or None."""
        return _unfit(trial.data)

    def __init__(self, data: ganbench.DataSpec, *, scales: int = 3, width: int = 128) -> None:
        super().__init__()
        refuse("discriminator", "hifigan-scale", _unfit(data))
        if width < 16 or width % 16:
            nearest = max(1, round(width / 16)) * 16
            why = f"width = {width} is no positive multiple of 16; the nearest is {nearest}"
            refuse("discriminator", "hifigan-scale", why)
        if scales < 1:
            refuse("discriminator", "hifigan-scale", f"scales = {scales} must be at least 1")
        self.heads = nn.ModuleList(ScaleHead(width, spectral=i == 0) for i in range(scales))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Any]:
        """Map waveforms (N, 1, T) to `logits`, a list of (N, L), and `features`, a list of maps for each head."""
        outputs = []
        for i, head in enumerate(self.heads):
            if i:
                x = F.avg_pool1d(x, 4, stride=2, padding=2)
            outputs.append(head(x))
        return _collect(outputs)


class PeriodHead(nn.Module):
    """Convolutions down the columns of a signal that is folded at a period."""

    def __init__(self, period: int, width: int) -> None:
        super().__init__()
        self.period = period
        self.convolutions = nn.ModuleList()
        before = 1
        for multiple, stride in zip(PERIOD_WIDTHS, PERIOD_STRIDES, strict=True):
            channels = width * multiple
            layer = nn.Conv2d(before, channels, (5, 1), stride=(stride, 1), padding=(2, 0))
            self.convolutions.append(weight_norm(layer))
            before = channels
        self.last = weight_norm(nn.Conv2d(before, 1, (3, 1), padding=(1, 0)))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return logits (N, L) and features of (N, 1, T)."""
        missing = -x.shape[2] % self.period
        x = F.pad(x, (0, missing), "reflect") if missing else x
        return _judge(x.unflatten(2, (-1, self.period)), self.convolutions, self.last)


class ScaleHead(nn.Module):
    """Strided, grouped convolutions along a signal."""

    def __init__(self, width: int, spectral: bool) -> None:
        super().__init__()
        norm = spectral_norm if spectral else weight_norm
        self.convolutions = nn.ModuleList()
        before = 1
        for multiple, kernel, stride, groups in SCALE_LAYERS:
            channels = width * multiple
            layer = nn.Conv1d(before, channels, kernel, stride=stride, padding=kernel // 2, groups=groups)
            self.convolutions.append(norm(layer))
            before = channels
        self.last = norm(nn.Conv1d(before, 1, 3, padding=1))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return logits (N, L) and features of (N, 1, T)."""
        return _judge(x, self.convolutions, self.last)


def _judge(x: Tensor, convolutions: nn.ModuleList, last: nn.Module) -> tuple[Tensor, list[Tensor]]:
    """Return logits (N, L), and the map after each convolution, the last one's too."""
    features = []
    for convolution in convolutions:
        x = F.leaky_relu(convolution(x), SLOPE)
        features.append(x)
    x = last(x)
    return x.flatten(1), [*features, x]


def _collect(heads: Any) -> dict[str, Any]:
    logits, features = zip(*heads, strict=True)
    return {"logits": list(logits), "features": list(features)}


def _unfit(data: ganbench.DataSpec) -> str | None:
    if len(data.shape) != 2 or data.shape[0] != 1:
        return f"HiFi-GAN's discriminators need waveforms of shape (1, T), and these samples are {data.kind} of shape {data.shape}"
    if data.shape[1] < MIN_LENGTH:
        return f"HiFi-GAN's discriminators need at least {MIN_LENGTH} samples, and these waveforms have {data.shape[1]}"
    return None
