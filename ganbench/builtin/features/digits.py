"""A small convolutional classifier of digits, 8 x 8 pixels.

Images as the digit classifier sees them: channel by channel, at 8 x 8 pixels.
"""

import functools
import math
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

import ganbench

WEIGHTS = Path(__file__).with_name("digits.safetensors")
FEATURE_DIM = 64


class DigitClassifier(nn.Module):
    """Grey images of digits, (N, 1, 8, 8) in [-1, 1], to logits of ten digits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 48, 3, padding=1)
        self.hidden = nn.Linear(48 * 2 * 2, FEATURE_DIM)
        self.digits = nn.Linear(FEATURE_DIM, 10)

    def features(self, x: Tensor) -> Tensor:
        """What the last layer reads: (N, FEATURES), not negative."""
        x = functional.relu(self.conv1(x))
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
        x = functional.max_pool2d(functional.relu(self.conv3(x)), 2)
        return functional.relu(self.hidden(x.flatten(1)))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of shape (N, 10)."""
        logits: Tensor = self.digits(self.features(x))
        return logits


@functools.cache
def load_classifier() -> DigitClassifier:
    """The trained classifier, frozen, in evaluation mode, on the CPU; one for the whole process."""
    with torch.device("meta"):  # no initial weights are drawn, so the global random state is left alone
        classifier = DigitClassifier()
    classifier.load_state_dict(load_file(WEIGHTS), assign=True)
    return classifier.eval().requires_grad_(False)


_CHUNK = 1024  # channels classified at once
_SIDE = 8


def refuse_undigital(trial: ganbench.Trial) -> str | None:
    """Why the trial's samples cannot be images of digits, one to each channel; None where they can.

    Whether images of fitting shape do show digits is for the suite's author to know.
    """
    data = trial.data
    if data.kind != "images":
        return f"the digit classifier reads images, not {data.kind}"
    channels, height, width = data.shape
    if channels not in (1, 2, 3):
        return f"the digit classifier reads images of 1 to 3 channels, not {channels}"
    if (height, width) != (_SIDE, _SIDE):  # it names only 38 % of MNIST's digits, scaled down to what it knows
        return f"the digit classifier reads images of {_SIDE}x{_SIDE} pixels, not {height}x{width}"
    return None


def digit_features(images: Tensor) -> Tensor:
    """Features of images (N, C, H, W): (N, C x FEATURES), channel by channel; NaN for a non-finite image."""
    channels, finite = _channels(images)
    rows = torch.cat([load_classifier().features(block) for block in torch.split(channels, _CHUNK)])
    features = rows.reshape(len(images), images.shape[1] * FEATURE_DIM)
    return features.masked_fill(~finite[:, None], math.nan)


def digits_of(images: Tensor) -> Tensor:
    """The digit in each channel of images (N, C, H, W): (N, C), whole numbers; -1 for a non-finite image."""
    channels, finite = _channels(images)
    digits = torch.cat([load_classifier()(block).argmax(dim=1) for block in torch.split(channels, _CHUNK)])
    return digits.reshape(images.shape[:2]).masked_fill(~finite[:, None], -1)


def _channels(images: Tensor) -> tuple[Tensor, Tensor]:
    """Each channel as a picture of its own, (N x C, 1, 8, 8), and which of the N images are finite.

    Values beyond [-1, 1] are clipped, as they would be in a picture file.
    """
    images = images.detach().float()
    finite = images.isfinite().flatten(1).all(dim=1)
    clipped = images.nan_to_num().clamp(-1, 1)
    return clipped.reshape(-1, 1, _SIDE, _SIDE), finite
