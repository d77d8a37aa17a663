"""What the classifier of MNIST's digits makes of images, as features for any metric."""

from __future__ import annotations

import functools
import hashlib

import torch

import ganbench

from .mnist_classifier.network import FEATURE_DIM, SIDE, WEIGHTS, embed

OTHER_PICTURES = ("celeba", "cifar-10", "cifar-100", "fashion-mnist", "stl-10")  # known not to show MNIST's digits


class MnistFeatures(ganbench.Features):
    """What the classifier of MNIST's digits makes of images of digits: 576 features for each channel.

    The input of its last layer, channel by channel. It saw digits alone: scores in it say how like MNIST's digits samples
    are, and nothing of other pictures.
    """

    dim = 0  # FEATURE_DIM for each channel
    preprocessing = f"clipped to [-1, 1], each channel a grey image, resized to {SIDE}x{SIDE} (bilinear, antialiased)"

    @property
    def checksum(self) -> str:  # type: ignore[override]
        """SHA-256 of the weights."""
        return _checksum()

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the trial's samples cannot be images of MNIST's digits, or None if they can.

        That images from elsewhere do show digits is the responsibility of the suite's author.
        """
        data = trial.data
        if data.kind != "images":
            return f"its classifier reads images of digits, not {data.kind}"
        if trial.components.dataset.name in OTHER_PICTURES:
            return (
                f"its classifier is trained on MNIST's digits, and {trial.dataset} is {trial.components.dataset.name}"
            )
        if data.shape[0] not in (1, 2, 3):
            return f"its classifier reads digits in 1 to 3 channels, not {data.shape[0]}"
        if min(data.shape[1:]) < SIDE:
            height, width = data.shape[1:]
            return f"its classifier needs digits of at least {SIDE}x{SIDE} pixels, not {height}x{width}"
        if data.value_range not in (None, (-1.0, 1.0)):
            low, high = data.value_range
            return f"its classifier reads images in [-1, 1], not in [{low:g}, {high:g}]"
        return None

    def __call__(self, samples: torch.Tensor, tap: str = "") -> torch.Tensor:
        """Return features of images (N, C, H, W): (N, C * FEATURE_DIM); NaN for an image that is not finite."""
        return embed(samples).reshape(len(samples), samples.shape[1] * FEATURE_DIM)


@functools.cache
def _checksum() -> str:
    return hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
