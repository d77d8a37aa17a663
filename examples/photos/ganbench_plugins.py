"""Pictures from pictures: crops of photographs, networks of super-resolution and of a tokenizer, and how near they come.

The photographs are the two that ship with scikit-learn. `super_resolution.toml` and `tokenizer.toml` use what is here.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

import ganbench

SIDE, STRIPE = 32, 40  # pixels
SMALL = ganbench.DataSpec("images", (3, SIDE, SIDE), value_range=(-1.0, 1.0), condition=(3, SIDE // 4, SIDE // 4))
SAME = ganbench.DataSpec("images", (3, SIDE, SIDE), value_range=(-1.0, 1.0), condition=(3, SIDE, SIDE))


def _skip_unless(spec: ganbench.DataSpec, trial: ganbench.Trial) -> str | None:
    fits = (trial.data.shape, trial.data.condition) == (spec.shape, spec.condition)
    return None if fits else f"it makes {spec.shape} from {spec.condition}, and the data has {trial.data.condition}"


@ganbench.hookimpl
def ganbench_datasets() -> Iterator[ganbench.Component]:
    yield ganbench.Component("photos", Photos)


@ganbench.hookimpl
def ganbench_generators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("upsampler", Upsampler)
    yield ganbench.Component("tokenizer", Tokenizer)


@ganbench.hookimpl
def ganbench_discriminators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("logit-a-pixel", UNet)
    yield ganbench.Component("vqgan-patches", Patches)


@ganbench.hookimpl
def ganbench_losses() -> Iterator[ganbench.Component]:
    yield ganbench.Component("hinge-and-l1", HingeAndL1)


@ganbench.hookimpl
def ganbench_metrics() -> Iterator[ganbench.Component]:
    yield ganbench.Component("fidelity", Fidelity)


class Photos(ganbench.Dataset):
    """Crops of 32x32 pixels of two photographs, and what they are to be made from.

    Photographs are cut into stripes, every fourth of which is held out.

    Args:
        condition: The crop at a quarter of its size, or the crop itself.
        size: Crops to train on; a quarter as many are held out.
    """

    def __init__(self, *, condition: Literal["small", "same"] = "small", size: int = 4000) -> None:
        self.condition, self.size = condition, size
        self.spec = SMALL if condition == "small" else SAME

    def training(self) -> ganbench.Batch:
        """(size, 3, 32, 32), and conditions."""
        return self._crop(self.size, held_out=False)

    def held_out(self) -> ganbench.Batch:
        """(size / 4, 3, 32, 32), and conditions."""
        return self._crop(self.size // 4, held_out=True)

    def _crop(self, n: int, *, held_out: bool) -> ganbench.Batch:
        from sklearn.datasets import load_sample_images

        photos = [torch.from_numpy(np.array(photo)).permute(2, 0, 1) for photo in load_sample_images().images]
        stripes = [stripe for photo in photos for stripe in photo.split(STRIPE, dim=2) if stripe.shape[2] >= SIDE]
        stripes = [stripe for k, stripe in enumerate(stripes) if (k % 4 == 3) == held_out]
        random = np.random.default_rng(held_out)
        crops = []
        for k in range(n):
            stripe = stripes[k % len(stripes)]
            y, x = (int(random.integers(size - SIDE + 1)) for size in stripe.shape[1:])
            crops.append(stripe[:, y : y + SIDE, x : x + SIDE])
        pictures = torch.stack(crops).float() / 127.5 - 1
        return ganbench.Batch(pictures, condition=F.avg_pool2d(pictures, 4) if self.condition == "small" else pictures)


class Upsampler(nn.Module):
    """Residual convolutions at the small size, and pixel shuffles to four times as much (ESPCN, Shi et al. 2016)."""

    latent_dim = 0
    check_data = (SMALL,)
    skip = staticmethod(partial(_skip_unless, SMALL))

    def __init__(self, data: ganbench.DataSpec, *, width: int = 32) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1))
            for _ in range(3)
        )
        self.last = nn.Sequential(nn.Conv2d(width, 48, 3, padding=1), nn.PixelShuffle(4))
        for parameter in self.last.parameters():  # it begins as the interpolation
            nn.init.zeros_(parameter)

    def forward(self, z: Tensor, labels: Tensor | None = None, *, condition: Tensor) -> Tensor:
        """(N, 3, 8, 8) -> (N, 3, 32, 32): what is missing from an interpolation."""
        x = self.first(condition)
        for block in self.blocks:
            x = x + block(x)
        return (F.interpolate(condition, scale_factor=4, mode="bicubic") + self.last(x)).clamp(-1, 1)


class Tokenizer(nn.Module):
    """Encoder, codebook and decoder (VQ-VAE, van den Oord et al. 2017; VQGAN, Esser et al. 2021): 64 codes a picture.

    The loss of the codebook is G's own. It is added where the codes are looked up, so that it needs no term of the suite.
    """

    latent_dim = 0
    check_data = (SAME,)
    skip = staticmethod(partial(_skip_unless, SAME))

    def __init__(self, data: ganbench.DataSpec, *, width: int = 32, codes: int = 128, code_dim: int = 8) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            *(nn.Conv2d(3, width, 4, 2, 1), nn.ReLU(), nn.Conv2d(width, width, 4, 2, 1), nn.ReLU()),
            nn.Conv2d(width, code_dim, 1),
        )
        self.codebook = nn.Embedding(codes, code_dim)
        self.decoder = nn.Sequential(
            *(
                nn.Conv2d(code_dim, width, 3, padding=1),
                nn.ReLU(),
                nn.ConvTranspose2d(width, width, 4, 2, 1),
                nn.ReLU(),
            ),
            *(nn.ConvTranspose2d(width, width, 4, 2, 1), nn.ReLU(), nn.Conv2d(width, 3, 3, padding=1)),
        )

    @property
    def last_layer(self) -> Tensor:
        """The weight by which adaptive weights of terms are found."""
        return self.decoder[-1].weight

    def forward(self, z: Tensor, labels: Tensor | None = None, *, condition: Tensor) -> Tensor:
        """(N, 3, 32, 32) -> the same, by way of (N, 8, 8) codes."""
        vectors = self.encoder(condition).movedim(1, -1)
        nearest = torch.cdist(vectors.flatten(0, 2), self.codebook.weight).argmin(1).view(vectors.shape[:-1])
        codes = self.codebook(nearest)
        loss = (codes - vectors.detach()).square().mean() + 0.25 * (codes.detach() - vectors).square().mean()
        through = vectors + (codes - vectors).detach()
        picture: Tensor = self.decoder(_WithLoss.apply(through, loss).movedim(-1, 1))
        return picture


class _WithLoss(torch.autograd.Function):
    """The first argument as it is; whatever loss it is used for, the second is added to it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, loss: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        return gradient, gradient.new_ones(())


def _skip_unless_pictures(trial: ganbench.Trial) -> str | None:
    return (
        None if len(trial.data.shape) == 3 and trial.data.shape[1] >= 32 else "it judges pictures of 32 pixels or more"
    )


class UNet(nn.Module):
    """A logit a pixel, from a U-Net with spectral normalization, as of Real-ESRGAN (https://arxiv.org/abs/2107.10833)."""

    skip = staticmethod(_skip_unless_pictures)

    def __init__(self, data: ganbench.DataSpec, *, width: int = 16) -> None:
        super().__init__()
        self.first = nn.Conv2d(data.shape[0], width, 3, padding=1)
        self.down = nn.ModuleList(
            spectral_norm(nn.Conv2d(width * 2**i, width * 2 ** (i + 1), 4, 2, 1, bias=False)) for i in range(2)
        )
        self.up = nn.ModuleList(
            spectral_norm(nn.Conv2d(width * 2 ** (i + 1), width * 2**i, 3, padding=1, bias=False)) for i in (1, 0)
        )
        self.last = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, 3, H, W) -> logits (N, 1, H, W)."""
        seen = [F.leaky_relu(self.first(x), 0.2)]
        for layer in self.down:
            seen.append(F.leaky_relu(layer(seen[-1]), 0.2))
        x = seen.pop()
        for layer in self.up:
            x = F.leaky_relu(layer(F.interpolate(x, scale_factor=2.0, mode="bilinear")), 0.2) + seen.pop()
        logits: Tensor = self.last(x)
        return logits


class Patches(nn.Module):
    """Logits of overlapping patches (PatchGAN, Isola et al. 2017), of the shape that VQGAN takes from it."""

    skip = staticmethod(_skip_unless_pictures)

    def __init__(self, data: ganbench.DataSpec, *, width: int = 32) -> None:
        super().__init__()
        self.net = nn.Sequential(
            *(nn.Conv2d(data.shape[0], width, 4, 2, 1), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * width), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(2 * width, 2 * width, 4, 1, 1, bias=False), nn.BatchNorm2d(2 * width), nn.LeakyReLU(0.2)),
            nn.Conv2d(2 * width, 1, 4, 1, 1),
        )

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, 3, 32, 32) -> logits (N, 1, 6, 6)."""
        logits: Tensor = self.net(x)
        return logits


class HingeAndL1(ganbench.Loss):
    """Hinge loss for D; for G its verdict beside the absolute error, as both kinds of model are trained.

    Args:
        adversarial: Weight of the verdict.
    """

    def __init__(self, *, adversarial: float = 0.01) -> None:
        self.adversarial = adversarial

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """E max(0, 1 - D(x)) + E max(0, 1 + D(G))."""
        return F.relu(1 - d(real)).mean() + F.relu(1 + d(fake)).mean()

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """E |x - G| - adversarial * E D(G)."""
        return F.l1_loss(fake.x, real.x) - self.adversarial * d(fake).mean()


class Fidelity(ganbench.Metric):
    """What `psnr` and `ssim` do not say of how near a picture comes to the one that it is made from.

    - `l1`: mean absolute error, of pixels in [-1, 1].
    - `gain`: peak signal-to-noise ratio over that of a bicubic interpolation of the condition, in dB; where that is smaller.
    """

    better = {"l1": "lower", "gain": "higher"}

    def score(self, samples: ganbench.Samples) -> dict[str, float]:
        """Score `samples.fake` beside `samples.paired`."""
        if samples.paired is None or samples.condition is None:
            raise ganbench.CannotScore("it compares each picture with the one that it is made from")
        made, wanted = samples.fake.clamp(-1, 1), samples.paired
        scores = {"l1": float((made - wanted).abs().mean())}
        if samples.condition.shape != wanted.shape:
            plain = F.interpolate(samples.condition, size=wanted.shape[2:], mode="bicubic").clamp(-1, 1)
            error, plain_error = ((x - wanted).square().flatten(1).mean(1).clamp_min(1e-9) for x in (made, plain))
            scores["gain"] = float(10 * torch.log10(plain_error / error).mean())
        return scores
