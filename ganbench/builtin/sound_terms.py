"""Distances between sounds: spectra at several resolutions, and mel spectra. Sounds are (N, T) or (N, channels, T)."""

from __future__ import annotations

import math
from typing import Annotated

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor

import ganbench

Count = Annotated[int, msgspec.Meta(ge=1)]
FLOOR = 1e-7  # of a squared magnitude, so that silence has a logarithm and a gradient


class MultiResolutionSTFT(ganbench.Term):
    """Spectral convergence and log magnitudes at several resolutions (Parallel WaveGAN, Yamamoto et al. 2020).

    https://arxiv.org/abs/1910.11480, equations 4 to 6, with Hann windows.

    Args:
        sizes: Length of a window in samples, of each resolution; it hops by a quarter.
    """

    def __init__(self, *, sizes: list[int] = [512, 1024, 2048]) -> None:  # noqa: B006
        if not sizes or min(sizes) < 4:
            raise ValueError(f"sizes = {sizes} must be lengths of at least 4")
        self.sizes = list(sizes)

    def __call__(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """Return the mean over the resolutions of both distances' sum."""
        target, sound = _channels(real.x), _channels(fake.x)
        distances = []
        for size in self.sizes:
            wanted, got = (magnitudes(x, size, size // 4) for x in (target, sound))
            convergence = (wanted - got).flatten(1).norm(dim=1) / wanted.flatten(1).norm(dim=1)
            distances.append(convergence.mean() + F.l1_loss(got.log(), wanted.log()))
        return torch.stack(distances).mean()


class MelDistance(ganbench.Term):
    """Log mel magnitudes' absolute differences, 45 of which HiFi-GAN adds (Kong et al. 2020).

    https://arxiv.org/abs/2010.05646, equation 5.

    Args:
        rate: Samples a second.
        size: Length of a window in samples.
        hop: Samples from a window to the next.
        bands: Mel bands.
        low: Where the lowest band begins, in Hz.
        high: Where the highest band ends, in Hz; 0 for half the rate.
    """

    def __init__(
        self,
        *,
        rate: Annotated[float, msgspec.Meta(gt=0)] = 22050.0,
        size: Count = 1024,
        hop: Count = 256,
        bands: Count = 80,
        low: Annotated[float, msgspec.Meta(ge=0)] = 0.0,
        high: Annotated[float, msgspec.Meta(ge=0)] = 0.0,
    ) -> None:
        if size < 4 or hop < 1 or bands < 1 or not 0 <= low < (high or rate / 2) <= rate / 2:
            raise ValueError(
                f"rate = {rate}, size = {size}, hop = {hop}, bands = {bands}, low = {low}, high = {high}: "
                "windows have at least 4 samples, and 0 <= low < high <= rate / 2"
            )
        self.size, self.hop = size, hop
        self._filters = mel_filters(rate, size, bands, low, high or rate / 2)

    def __call__(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """Return E |log mel(x) - log mel(G)|."""
        return F.l1_loss(self.log_mel(fake.x), self.log_mel(real.x))

    def log_mel(self, sounds: Tensor) -> Tensor:
        """Return logarithms of mel magnitudes, (N channels, bands, windows), at least log 1e-5."""
        self._filters = self._filters.to(sounds.device)
        return (self._filters @ magnitudes(_channels(sounds), self.size, self.hop)).clamp_min(1e-5).log()


def magnitudes(sounds: Tensor, size: int, hop: int) -> Tensor:
    """Return magnitudes of the short-time Fourier transform of sounds (N, T), of shape (N, size // 2 + 1, windows).

    Windows are Hann's, the sound is reflected at both ends so that each sample is in as many. Raises ValueError for sounds
    that are too short.
    """
    if sounds.shape[1] <= size // 2:
        raise ValueError(f"sounds of {sounds.shape[1]} samples are too short for windows of {size}")
    window = torch.hann_window(size, device=sounds.device)
    spectrum = torch.stft(sounds, size, hop, window=window, center=True, pad_mode="reflect", return_complex=True)
    return (spectrum.real.square() + spectrum.imag.square()).clamp_min(FLOOR).sqrt()


def mel_filters(rate: float, size: int, bands: int, low: float, high: float) -> Tensor:
    """Return triangular filters (bands, size // 2 + 1) of equal area, their corners equally spaced on Slaney's mel scale.

    The scale is linear below 1000 Hz, 15 mel, and logarithmic above, 27 mel to a factor of 6.4 (Slaney 1998, Auditory
    Toolbox). Frequencies are in Hz.
    """
    corners = _to_hertz(torch.linspace(_to_mel(low), _to_mel(high), bands + 2, dtype=torch.float64))
    frequencies = torch.linspace(0, rate / 2, size // 2 + 1, dtype=torch.float64)
    lower, centre, upper = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (frequencies - lower) / (centre - lower), (upper - frequencies) / (upper - centre)
    triangles = torch.minimum(rising, falling).clamp_min(0)
    return (triangles * 2 / (upper - lower)).float()


def _to_mel(hertz: float) -> float:
    return 15 * hertz / 1000 if hertz < 1000 else 15 + 27 * math.log(hertz / 1000) / math.log(6.4)


def _to_hertz(mel: Tensor) -> Tensor:
    return torch.where(mel < 15, mel * 1000 / 15, 1000 * torch.exp((mel - 15) * math.log(6.4) / 27))


def _channels(sounds: Tensor) -> Tensor:
    """Return every channel as a sound of its own, (N channels, T)."""
    return sounds.reshape(-1, sounds.shape[-1])
