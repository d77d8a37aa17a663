"""A small convolutional classifier of digits, 8 x 8 pixels, and what it makes of images, channel by channel."""

from __future__ import annotations

import functools
import hashlib
import math
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

import ganbench

WEIGHTS = Path(__file__).with_name("digits.safetensors")
FEATURE_DIM = 64
SIDE = 8  # pixels
MAX_CHUNK = 1024  # channels classified at once


class DigitClassifier(nn.Module):
    """Maps grey images of digits, (N, 1, 8, 8) in [-1, 1], to logits of ten digits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 48, 3, padding=1)
        self.hidden = nn.Linear(48 * 2 * 2, FEATURE_DIM)
        self.digits = nn.Linear(FEATURE_DIM, 10)

    def features(self, x: Tensor) -> Tensor:
        """Return the input of the last layer, of shape (N, FEATURE_DIM); not negative."""
        x = functional.relu(self.conv1(x))
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
        x = functional.max_pool2d(functional.relu(self.conv3(x)), 2)
        return functional.relu(self.hidden(x.flatten(1)))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of shape (N, 10)."""
        logits: Tensor = self.digits(self.features(x))
        return logits


class DigitFeatures(ganbench.Features):
    """What the digit classifier that ganbench ships makes of images of digits: 64 features for each channel.

    The input of its last layer, channel by channel. Values outside [-1, 1] are clipped.
    """

    dim = 0  # FEATURE_DIM for each channel
    preprocessing = "8x8, each channel a grey image, clipped to [-1, 1]"

    @property
    def checksum(self) -> str:  # type: ignore[override]
        """SHA-256 of the weights."""
        return hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the trial's samples cannot be images of digits, or None if they can."""
        return why_unreadable(trial)

    def __call__(self, samples: Tensor, tap: str = "") -> Tensor:
        """Return features of images (N, C, 8, 8): (N, C * 64)."""
        return digit_features(samples.cpu()).to(samples.device)  # the classifier is small, and stays on the CPU


@functools.cache
def load_classifier() -> DigitClassifier:
    """Return the trained classifier, frozen, in evaluation mode, on the CPU; the same one for the whole process."""
    with torch.device("meta"):  # draws no initial weights, so that the global random state does not change
        classifier = DigitClassifier()
    classifier.load_state_dict(load_file(WEIGHTS), assign=True)
    return classifier.eval().requires_grad_(False)


def why_unreadable(trial: ganbench.Trial) -> str | None:
    """Return why the trial's samples cannot be images of digits, one to each channel, or None if they can.

    That images of this shape do show digits is the responsibility of the suite's author.
    """
    data = trial.data
    if data.kind != "images":
        return f"the digit classifier reads images, not {data.kind}"
    channels, height, width = data.shape
    if channels not in (1, 2, 3):
        return f"the digit classifier reads images of 1 to 3 channels, not {channels}"
    if (height, width) != (SIDE, SIDE):  # of MNIST's digits, scaled down to 8 x 8, it recognizes only 38 %
        return f"the digit classifier reads images of {SIDE}x{SIDE} pixels, not {height}x{width}"
    if data.value_range not in (None, (-1.0, 1.0)):
        low, high = data.value_range
        return f"the digit classifier reads images in [-1, 1], not in [{low:g}, {high:g}]"
    return None


def digit_features(images: Tensor) -> Tensor:
    """Return the features of images (N, C, H, W), channel by channel: (N, C * FEATURE_DIM); NaN if not finite."""
    channels, finite = _split_channels(images)
    rows = torch.cat([load_classifier().features(chunk) for chunk in torch.split(channels, MAX_CHUNK)])
    features = rows.reshape(len(images), images.shape[1] * FEATURE_DIM)
    return features.masked_fill(~finite[:, None], math.nan)


def classify_digits(images: Tensor) -> Tensor:
    """Return the digit in each channel of images (N, C, H, W): integers (N, C), -1 for an image that is not finite."""
    channels, finite = _split_channels(images)
    digits = torch.cat([load_classifier()(chunk).argmax(dim=1) for chunk in torch.split(channels, MAX_CHUNK)])
    return digits.reshape(images.shape[:2]).masked_fill(~finite[:, None], -1)


def _split_channels(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return each channel as an image of its own, (N * C, 1, 8, 8), and which of the N images are finite.

    Values outside [-1, 1] are clipped, as they would be in an image file.
    """
    images = images.detach().float()
    finite = images.isfinite().flatten(1).all(dim=1)
    clipped = images.nan_to_num().clamp(-1, 1)
    return clipped.reshape(-1, 1, SIDE, SIDE), finite
