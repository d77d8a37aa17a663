"""Waveforms from mel spectra: tones and the sounds that ship with SciPy, networks of HiFi-GAN's kind, a spectral distance.

Recipe and shapes: Kong et al. 2020, https://arxiv.org/abs/2010.05646, at a size for a CPU.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ganbench

LENGTH, RATE, WINDOW, HOP, BANDS = 1024, 8000, 128, 32, 20
SPEC = ganbench.DataSpec("sounds", (1, LENGTH), value_range=(-1.0, 1.0), condition=(BANDS, LENGTH // HOP))


def _skip_unless_sounds(trial: ganbench.Trial) -> str | None:
    fits = trial.data.shape == SPEC.shape and trial.data.condition == SPEC.condition
    return None if fits else f"it takes sounds {SPEC.shape} with mel spectra {SPEC.condition}"


@ganbench.hookimpl
def ganbench_datasets() -> Iterator[ganbench.Component]:
    yield ganbench.Component("waveforms", Waveforms)


@ganbench.hookimpl
def ganbench_generators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("vocoder", Vocoder)


@ganbench.hookimpl
def ganbench_discriminators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("periods-and-scales", PeriodsAndScales)


@ganbench.hookimpl
def ganbench_losses() -> Iterator[ganbench.Component]:
    yield ganbench.Component("hifi-gan", HiFiGANLoss)


@ganbench.hookimpl
def ganbench_metrics() -> Iterator[ganbench.Component]:
    yield ganbench.Component("spectral-distance", SpectralDistance)


def magnitudes(x: Tensor, window: int, hop: int) -> Tensor:
    """Return (N, window / 2 + 1, frames) of (N, 1, T)."""
    hann = torch.hann_window(window, device=x.device)
    return torch.stft(x[:, 0], window, hop, window=hann, return_complex=True).abs().clamp_min(1e-5)


def mel(x: Tensor) -> Tensor:
    """Return the logarithm of a mel spectrum, (N, BANDS, T / HOP), of (N, 1, T)."""
    top = 2595 * math.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (torch.linspace(0, top, BANDS + 2) / 2595) - 1)
    bins = torch.linspace(0, RATE / 2, WINDOW // 2 + 1)
    up = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    filters = torch.minimum(up, down).clamp_min(0).to(x.device)
    return (filters @ magnitudes(x, WINDOW, HOP))[..., : x.shape[-1] // HOP].clamp_min(1e-5).log()


class Waveforms(ganbench.Dataset):
    """Pieces of 1024 samples with their mel spectra.

    Args:
        source: `"tones"` for sums of three harmonic tones that fade, at 8 kHz; `"scipy"` for pieces of the WAV files that
            SciPy's tests ship with, the last eighth of each of them held out.
        size: Pieces to train on; a quarter as many are held out.
    """

    spec = SPEC

    def __init__(self, *, source: Literal["tones", "scipy"] = "tones", size: int = 2000) -> None:
        self.source, self.size = source, size

    def training(self) -> ganbench.Batch:
        """(size, 1, 1024), and spectra."""
        return self._draw(self.size, 1)

    def held_out(self) -> ganbench.Batch:
        """(size / 4, 1, 1024), and spectra."""
        return self._draw(self.size // 4, 2)

    def _draw(self, n: int, seed: int) -> ganbench.Batch:
        random = torch.Generator().manual_seed(seed)
        x = _tones(n, random) if self.source == "tones" else _pieces(n, random, held_out=seed == 2)
        return ganbench.Batch(x, condition=mel(x))


def _tones(n: int, random: torch.Generator) -> Tensor:
    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, 3, 1, generator=random)

    time = torch.arange(LENGTH) / RATE
    pitch, phase, size, fade = draw(100, 1000), draw(0, 2 * math.pi), draw(0.05, 0.2), draw(0, 20)
    waves = sum((2 * math.pi * k * pitch * time + phase).sin() / k for k in (1, 2, 3))
    return (size * torch.exp(-fade * time) * waves).sum(1, keepdim=True).clamp(-1, 1)


def _pieces(n: int, random: torch.Generator, *, held_out: bool) -> Tensor:
    import scipy.io.wavfile

    folder = Path(scipy.io.__file__).parent / "tests" / "data"
    names = ("test-44100Hz-le-1ch-4bytes.wav",)
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(f"{folder} lacks {', '.join(missing)}: this SciPy was installed without its tests")
    sounds = [torch.from_numpy(scipy.io.wavfile.read(folder / name)[1].astype("float32")) for name in names]
    pieces = []
    for i in range(n):
        sound = sounds[i % len(sounds)] / sounds[i % len(sounds)].abs().max()
        cut = len(sound) * 5 // 8
        part = sound[cut:] if held_out else sound[:cut]
        start = int(torch.randint(len(part) - LENGTH + 1, (1,), generator=random))
        pieces.append(part[start : start + LENGTH])
    return torch.stack(pieces)[:, None]


class Vocoder(nn.Module):
    """Two transposed convolutions of four and eight times, with residual convolutions; no noise."""

    latent_dim = 0
    check_data = (SPEC,)
    skip = staticmethod(_skip_unless_sounds)

    def __init__(self, data: ganbench.DataSpec, *, width: int = 64) -> None:
        super().__init__()
        self.net = nn.Sequential(
            *(nn.Conv1d(BANDS, width, 7, padding=3), nn.LeakyReLU(0.1)),
            *(nn.ConvTranspose1d(width, width // 2, 8, 4, 2), nn.LeakyReLU(0.1), _Residual(width // 2)),
            *(nn.ConvTranspose1d(width // 2, width // 4, 16, 8, 4), nn.LeakyReLU(0.1), _Residual(width // 4)),
            *(nn.Conv1d(width // 4, 1, 7, padding=3), nn.Tanh()),
        )

    def forward(self, z: Tensor, labels: Tensor | None = None, *, condition: Tensor) -> Tensor:
        """(N, BANDS, frames) -> (N, 1, HOP * frames)."""
        x: Tensor = self.net((condition + 5) / 5)
        return x


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv1d(width, width, 3, padding=d, dilation=d) for d in (1, 3, 9))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = x + layer(F.leaky_relu(x, 0.1))
        return x


class PeriodsAndScales(nn.Module):
    """HiFi-GAN's discriminators in one: heads that look at every p-th sample, and heads that look at averages."""

    check_data = (SPEC,)
    skip = staticmethod(_skip_unless_sounds)

    def __init__(self, data: ganbench.DataSpec, *, periods: list[int] = [2, 3, 5], scales: list[int] = [1, 2]) -> None:  # noqa: B006
        super().__init__()
        views = [*((period, 1) for period in periods), *((1, scale) for scale in scales)]
        self.heads = nn.ModuleList(_Head(period, scale) for period, scale in views)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Any]:
        """(N, 1, T) -> a map of logits of each head, and the features of its layers."""
        outputs = [head(x) for head in self.heads]
        return {"logits": [logits for logits, _ in outputs], "features": [features for _, features in outputs]}


class _Head(nn.Module):
    def __init__(self, period: int, scale: int, width: int = 16) -> None:
        super().__init__()
        self.period, self.scale = period, scale
        sizes = (1, width, 2 * width, 2 * width)
        self.layers = nn.ModuleList(nn.Conv2d(i, o, (5, 1), (3, 1), (2, 0)) for i, o in itertools.pairwise(sizes))
        self.last = nn.Conv2d(sizes[-1], 1, (3, 1), padding=(1, 0))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        x = F.avg_pool1d(x, self.scale) if self.scale > 1 else x
        x = F.pad(x, (0, -x.shape[-1] % self.period), "reflect").unflatten(-1, (-1, self.period))
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
            features.append(x)
        return self.last(x).flatten(1), features


class HiFiGANLoss(ganbench.Loss):
    """Least squares for each head; for G also L1 of D's features and of mel spectra.

    Args:
        features, spectra: Their weights.
    """

    needs = ("features",)

    def __init__(self, *, features: float = 2.0, spectra: float = 45.0) -> None:
        self.features, self.spectra = features, spectra

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """E (D(x) - 1)^2 + E D(G)^2, as equation 1."""
        return (d(real) - 1).square().mean() + d(fake).square().mean()

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """E (D(G) - 1)^2 + features * L1 of features + spectra * L1 of mel spectra, as equation 9."""
        pairs = zip(d.outputs(real)["features"], d.outputs(fake)["features"], strict=True)
        distances = [
            F.l1_loss(b, a.detach()) for of_real, of_fake in pairs for a, b in zip(of_real, of_fake, strict=True)
        ]
        is_sound = fake.x.shape[1:] == SPEC.shape
        spectra = F.l1_loss(mel(fake.x), mel(real.x)) if is_sound else fake.x.new_zeros(())
        return (d(fake) - 1).square().mean() + self.features * torch.stack(distances).mean() + self.spectra * spectra


class SpectralDistance(ganbench.Metric):
    """Mean absolute difference of log magnitudes from the sound that a spectrum is of, over windows of 64, 256 and 512."""

    better = "lower"
    skip = staticmethod(_skip_unless_sounds)

    def score(self, samples: ganbench.Samples) -> dict[str, float]:
        """Score `samples.fake` beside `samples.paired`, in nepers."""
        assert samples.paired is not None
        spectra = [[magnitudes(x, w, w // 4).log() for x in (samples.fake, samples.paired)] for w in (64, 256, 512)]
        return {"": float(torch.stack([F.l1_loss(made, wanted) for made, wanted in spectra]).mean())}
