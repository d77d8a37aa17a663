"""A small convolutional classifier of MNIST's digits, applied to each channel of an image."""

from __future__ import annotations

import copy
import functools
import math
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

WEIGHTS = Path(__file__).with_name("mnist.safetensors")
SIDE = 28
FEATURE_DIM = 64 * 3 * 3
UNREADABLE = -1
_BATCH_SIZE = 250  # channels classified at once: activations of the first layer fit into a cache


class MnistClassifier(nn.Module):
    """Grey images of digits, (N, 1, 28, 28) in [-1, 1], to logits of ten digits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5, padding=2)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 64, 3, padding=1)
        self.digits = nn.Linear(FEATURE_DIM, 10)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Input of the last layer, of shape (N, FEATURE_DIM); not negative."""
        for conv in (self.conv1, self.conv2, self.conv3):
            x = functional.relu(functional.max_pool2d(conv(x), 2))
        return x.flatten(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of shape (N, 10)."""
        return self.digits(self.features(x))


@functools.cache
def load() -> MnistClassifier:
    """Return the trained classifier, frozen, in evaluation mode, on the CPU; the same object at every call."""
    with torch.device("meta"):  # no initial weights are drawn, so the global random state is left alone
        classifier = MnistClassifier()
    classifier.load_state_dict(load_file(WEIGHTS), assign=True)
    return classifier.eval().requires_grad_(False)


@functools.cache
def _load_on(device: torch.device) -> MnistClassifier:
    """Return the trained classifier on a device; that on the CPU stays there."""
    return load() if device.type == "cpu" else copy.deepcopy(load()).to(device)


def classify(images: torch.Tensor, classifier: MnistClassifier | None = None) -> torch.Tensor:
    """Return the digit in each channel of `images`, of shape (N, C): integers, UNREADABLE where an image is not finite.

    Args:
        images: (N, C, H, W) in [-1, 1]; values outside are clipped, as they would be in an image file. Other sizes than
            28 x 28 are resized, bilinear and antialiased.
        classifier: The trained one by default.
    """
    classifier = classifier or load()
    channels, finite = _split_channels(images)
    with torch.no_grad():
        blocks = [classifier(_resized(block)).argmax(dim=1) for block in channels.split(_BATCH_SIZE)]
    return torch.cat(blocks).reshape(images.shape[:2]).masked_fill(~finite[:, None], UNREADABLE)


def embed(images: torch.Tensor) -> torch.Tensor:
    """Return what the last layer is given for each channel of `images`, (N, C, FEATURE_DIM); NaN where not finite.

    Args:
        images: As of `classify`; features are on their device.
    """
    classifier = _load_on(images.device)
    channels, finite = _split_channels(images)
    with torch.no_grad():
        rows = torch.cat([classifier.features(_resized(block)) for block in channels.split(_BATCH_SIZE)])
    return rows.reshape(*images.shape[:2], FEATURE_DIM).masked_fill(~finite[:, None, None], math.nan)


def _split_channels(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each channel as an image of its own, clipped to [-1, 1], and which of the images are finite."""
    images = images.detach().float()
    finite = images.isfinite().flatten(1).all(dim=1)
    return images.nan_to_num().clamp(-1, 1).flatten(0, 1).unsqueeze(1), finite


def _resized(images: torch.Tensor) -> torch.Tensor:
    if images.shape[2:] == (SIDE, SIDE):
        return images
    return functional.interpolate(images, size=(SIDE, SIDE), mode="bilinear", antialias=True)
