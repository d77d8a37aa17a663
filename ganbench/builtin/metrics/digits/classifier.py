"""A small convolutional classifier of digits, 8 x 8 pixels."""

import functools
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

WEIGHTS = Path(__file__).with_name("digits.safetensors")
FEATURES = 64


class DigitClassifier(nn.Module):
    """Grey images of digits, (N, 1, 8, 8) in [-1, 1], to logits of ten digits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 48, 3, padding=1)
        self.hidden = nn.Linear(48 * 2 * 2, FEATURES)
        self.digits = nn.Linear(FEATURES, 10)

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
def load() -> DigitClassifier:
    """The trained classifier, frozen, in evaluation mode, on the CPU; one for the whole process."""
    with torch.device("meta"):  # no initial weights are drawn, so the global random state is left alone
        classifier = DigitClassifier()
    classifier.load_state_dict(load_file(WEIGHTS), assign=True)
    return classifier.eval().requires_grad_(False)
