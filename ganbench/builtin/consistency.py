"""Consistency regularization: D's logit does not change where a sample changes without becoming another.

E is the mean over a batch, T a random flip and shift of an image, e standard normal noise.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

import ganbench

from .regularizers import logit_per_sample, noise_of

Generate = Callable[[torch.Tensor, ganbench.Batch], ganbench.Batch]


class Consistency(ganbench.Regularizer):
    """D's logits of real images and of the same ones flipped and shifted pulled together (CR, Zhang et al. 2020).

    https://arxiv.org/abs/1910.12027. For images.

    Args:
        weight: Weight of the penalty.
        shift: Most pixels that an image is shifted by, along either side; what is left open is filled by reflection.
        flip: Whether half of the images are mirrored, left to right: not for what then is something else, as digits.
    """

    zero_for = "flat"  # the penalty is zero for a constant D
    per_head = True

    def __init__(self, *, weight: float = 10.0, shift: int = 4, flip: bool = True) -> None:
        if weight < 0 or shift < 0:
            raise ValueError(f"weight = {weight} and shift = {shift} must not be negative")
        self.weight = weight
        self.shift = shift
        self.flip = flip

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why there is nothing to flip and shift in this trial, or None."""
        return None if trial.data.kind == "images" else f"it shifts images, and {trial.dataset} is {trial.data.kind}"

    def penalty(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return weight * E (d(T(x)) - d(x))^2."""
        return self.weight * self._difference(d, real)

    def _difference(self, d: ganbench.DiscriminatorFn, batch: ganbench.Batch) -> torch.Tensor:
        moved = batch.with_x(flip_and_shift(batch.x, self.shift, self.flip))
        return (logit_per_sample(d(moved)) - logit_per_sample(d(batch))).square().mean()


class BalancedConsistency(Consistency):
    """CR of generated images as well as of real ones (bCR, Zhao et al. 2021, https://arxiv.org/abs/2002.04724).

    Args:
        weight: Weight of the penalty of real images.
        weight_generated: Weight of the penalty of generated images.
        shift: Most pixels that an image is shifted by, along either side; what is left open is filled by reflection.
        flip: Whether half of the images are mirrored, left to right: not for what then is something else, as digits.
    """

    def __init__(
        self, *, weight: float = 10.0, weight_generated: float = 10.0, shift: int = 4, flip: bool = True
    ) -> None:
        super().__init__(weight=weight, shift=shift, flip=flip)
        if weight_generated < 0:
            raise ValueError(f"weight_generated = {weight_generated} must not be negative")
        self.weight_generated = weight_generated

    def penalty(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return weight * E (d(T(x)) - d(x))^2 + weight_generated * E (d(T(G(z))) - d(G(z)))^2."""
        return self.weight * self._difference(d, real) + self.weight_generated * self._difference(d, fake)


class LatentConsistency(ganbench.Regularizer):
    """D's logits of samples from neighbouring noise pulled together (zCR, Zhao et al. 2021).

    https://arxiv.org/abs/2002.04724. Its counterpart for G is `zcr-generator`; with bCR they are the paper's ICR.

    Args:
        weight: Weight of the penalty.
        sigma: Standard deviation of what is added to the noise.
    """

    zero_for = "flat"  # the penalty is zero for a constant D
    per_head = True

    def __init__(self, *, weight: float = 5.0, sigma: float = 0.03) -> None:
        if weight < 0 or sigma <= 0:
            raise ValueError(f"weight = {weight} must not be negative, sigma = {sigma} positive")
        self.weight = weight
        self.sigma = sigma

    def penalty(  # type: ignore[override]
        self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch, *, generate: Generate
    ) -> torch.Tensor:
        """Return weight * E (d(G(z + sigma e)) - d(G(z)))^2."""
        near = _generate_near(fake, self.sigma, generate, "zcr")
        return self.weight * (logit_per_sample(d(near)) - logit_per_sample(d(fake))).square().mean()


class LatentDiversity(ganbench.Regularizer):
    """Samples of G from neighbouring noise pushed apart: zCR's part for G (Zhao et al. 2021).

    https://arxiv.org/abs/2002.04724. It rewards, so it is negative.

    Args:
        weight: Weight of the reward.
        sigma: Standard deviation of what is added to the noise.
    """

    player = "generator"
    may_be_negative = True

    def __init__(self, *, weight: float = 0.5, sigma: float = 0.03) -> None:
        if weight < 0 or sigma <= 0:
            raise ValueError(f"weight = {weight} must not be negative, sigma = {sigma} positive")
        self.weight = weight
        self.sigma = sigma

    def penalty(  # type: ignore[override]
        self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch, *, generate: Generate
    ) -> torch.Tensor:
        """Return -weight * E |G(z + sigma e) - G(z)|^2, the mean over values of a sample too."""
        near = _generate_near(fake, self.sigma, generate, "zcr-generator")
        return -self.weight * (near.x - fake.x).square().mean()


def flip_and_shift(images: torch.Tensor, shift: int, flip: bool) -> torch.Tensor:
    """Return images (N, channels, height, width) each mirrored or not and shifted by random pixels; differentiable.

    Args:
        images: The images.
        shift: Most pixels along either side, less than a side; what is left open is filled by reflection.
        flip: Whether half of them are mirrored.
    """
    n, _, height, width = images.shape
    device = images.device
    if flip:
        mirrored = torch.rand(n, 1, 1, 1, device=device) < 0.5
        images = torch.where(mirrored, images.flip(3), images)
    if not shift:
        return images
    padded = F.pad(images, (shift,) * 4, mode="reflect")
    down, right = torch.randint(2 * shift + 1, (2, n, 1), device=device)
    rows = (torch.arange(height, device=device) + down)[:, None, :, None]
    columns = (torch.arange(width, device=device) + right)[:, None, None, :]
    each, channels = torch.arange(n, device=device)[:, None, None, None], torch.arange(images.shape[1], device=device)
    return padded[each, channels[:, None, None], rows, columns]


def _generate_near(fake: ganbench.Batch, sigma: float, generate: Generate, name: str) -> ganbench.Batch:
    """Return what G makes of the noise of `fake` with a little more noise added."""
    z = noise_of(fake, name)
    return generate(z + sigma * torch.randn_like(z), fake)
