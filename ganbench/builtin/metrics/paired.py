"""How near a sample comes to the true one of its condition: of G's that have a source, such as a small picture or codes.

Samples are generated under held-out conditions, and each is compared with the held-out sample that its condition belongs to.
That sample itself is the floor, the best that there is. Intervals are those of a mean over samples.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

import ganbench

from .parts import FeaturesOption

MAX_PSNR = 100.0  # dB, of samples that are the same
WINDOW, SIGMA = 11, 1.5  # of SSIM, in pixels
K1, K2 = 0.01, 0.03


class PSNR(ganbench.Metric):
    """Peak signal-to-noise ratio of each sample beside the true one of its condition, in dB, the mean over samples.

    10 log10 (range^2 / mean squared error), where the range is that of the data; 100 where they are the same. Generated
    values are clipped to the range. For data of any kind with a range and conditions.
    """

    better = "higher"

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why there is no true sample to compare with, or no range."""
        if trial.data.value_range is None:
            return "it needs data with a range of values"
        return why_not_paired(trial)

    def score(self, samples: ganbench.Samples) -> dict[str, ganbench.Estimate]:
        """Return the mean over `samples.fake` beside `samples.paired`; NaN if a sample is not finite."""
        fake, true, span = pairs_of(samples)
        errors = (fake - true).double().square().flatten(1).mean(1)
        least = span**2 / 10 ** (MAX_PSNR / 10)
        return {"": mean_of(10 * torch.log10(span**2 / errors.clamp_min(least)))}


class SSIM(ganbench.Metric):
    """Structural similarity of each picture to the true one of its condition (Wang et al. 2004), the mean over pictures.

    https://doi.org/10.1109/TIP.2003.819861: means, variances and covariance under a Gaussian window of 11 pixels with a
    standard deviation of 1.5, in each channel, wherever the whole window fits; 1 where they are the same. Generated values
    are clipped to the range.
    """

    better = "higher"

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why there is nothing to compare, or no picture of the size of a window."""
        data = trial.data
        if data.kind != "images" or data.value_range is None:
            return f"it compares images with a range of values, and the data is {data.kind}"
        if min(data.shape[1:]) < WINDOW:
            return f"it needs images of {WINDOW} pixels or more a side, and these have {min(data.shape[1:])}"
        return why_not_paired(trial)

    def score(self, samples: ganbench.Samples) -> dict[str, ganbench.Estimate]:
        """Return the mean over `samples.fake` beside `samples.paired`; NaN if a sample is not finite."""
        fake, true, span = pairs_of(samples)
        rows = [similarity(a, b, span) for a, b in zip(fake.split(256), true.split(256), strict=True)]
        return {"": mean_of(torch.cat(rows))}


class PerceptualDistance(ganbench.Metric):
    """Distance of each picture from the true one of its condition in a pretrained network, the mean over pictures.

    Features are averaged over the picture, each layer's are brought to length 1, and their squared distances are averaged
    over the layers, as in the term `perceptual` (Johnson et al. 2016, https://arxiv.org/abs/1603.08155); 0 where they are the
    same. It is not LPIPS, whose layers keep their places and are weighted by what people see.

    Args:
        features: Features of pictures.
        taps: Layers of it, by the names of its taps; empty for the last one alone.
    """

    better = "lower"
    check_options = {"features": "digits", "taps": []}

    def __init__(
        self,
        *,
        features: FeaturesOption = "lite0",  # type: ignore[assignment]
        taps: list[str] = ["40", "112", "320"],  # noqa: B006
    ) -> None:
        self.features: ganbench.Features = features()
        self._taps = tuple(taps) or ("",)
        for tap in self._taps:
            if tap and tap not in self.features.taps:
                raise ValueError(f"taps: the features have {', '.join(self.features.taps) or 'none'}, not {tap!r}")

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why there is no true sample to compare with."""
        return why_not_paired(trial)

    def score(self, samples: ganbench.Samples) -> dict[str, ganbench.Estimate]:
        """Return the mean over `samples.fake` beside `samples.paired`; NaN if a feature is not finite."""
        pairs_of(samples)
        distances = []
        for tap in self._taps:
            fake, true = (F.normalize(samples.embed(part, self.features, tap).double()) for part in ("fake", "paired"))
            distances.append((fake - true).square().sum(1))
        return {"": mean_of(torch.stack(distances).mean(0))}


def why_not_paired(trial: ganbench.Trial) -> str | None:
    """Return why no sample has a true one to be compared with, or None."""
    if trial.data.condition is None:
        return "it compares each sample with the one that its condition belongs to, and the data has no conditions"
    return None


def pairs_of(samples: ganbench.Samples) -> tuple[Tensor, Tensor, float]:
    """Return generated samples, clipped to the range of the data, the true ones beside them, and the width of the range."""
    if samples.paired is None:
        raise ganbench.CannotScore("it compares each sample with the true one of its condition, and these have none")
    low, high = samples.spec.value_range or (-math.inf, math.inf)
    finite = samples.fake.isfinite()
    return samples.fake.clamp(low, high).masked_fill(~finite, math.nan), samples.paired, high - low


def similarity(x: Tensor, y: Tensor, span: float) -> Tensor:
    """Return the structural similarity of pictures (N, C, H, W) with values over a range of width `span`, (N,)."""
    x, y = x.double(), y.double()
    places = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    line = torch.exp(-places.square() / (2 * SIGMA**2))
    line /= line.sum()

    along_columns, along_rows = (_slide(line, size) for size in x.shape[2:])

    def blur(images: Tensor) -> Tensor:
        """Average along rows, then along columns: the window is a product."""
        return along_columns.T @ (images @ along_rows)

    mean_x, mean_y = blur(x), blur(y)
    var_x, var_y = blur(x * x) - mean_x.square(), blur(y * y) - mean_y.square()
    covariance = blur(x * y) - mean_x * mean_y
    c1, c2 = (K1 * span) ** 2, (K2 * span) ** 2
    above = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    below = (mean_x.square() + mean_y.square() + c1) * (var_x + var_y + c2)
    return (above / below).flatten(1).mean(1)


def _slide(window: Tensor, size: int) -> Tensor:
    """Return the matrix (size, places) that averages a row of `size` values in the window (w,) at each of its places."""
    matrix = window.new_zeros(size, size - len(window) + 1)
    for place in range(matrix.shape[1]):
        matrix[place : place + len(window), place] = window
    return matrix


def mean_of(values: Tensor) -> ganbench.Estimate:
    """Return the mean of a value a sample, with the 95 % interval of a mean."""
    mean = float(values.mean())
    if len(values) < 2:
        return ganbench.Estimate(mean)
    half = 1.96 * float(values.std()) / math.sqrt(len(values))
    return ganbench.Estimate(mean, mean - half, mean + half)
