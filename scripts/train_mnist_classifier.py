"""Trains the classifier of MNIST's digits and writes its weights.

    python -m ganbench_vision.mnist_classifier.train --root ~/data

It learns from MNIST's 60,000 training digits alone. The weights in the tree came from this command; what they reach on
the test digits is printed by it, and by `ganbench_vision.mnist_classifier.accuracy`.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from ..mnist import Mnist
from .accuracy import in_range, report
from .network import WEIGHTS, MnistClassifier

SEED = 0
EPOCHS = 6
BATCH = 100


def train(images: torch.Tensor, labels: torch.Tensor, seed: int = SEED, epochs: int = EPOCHS) -> MnistClassifier:
    """A classifier of `images` (N, 1, 28, 28) in uint8; the same seed gives the same one, on one thread."""
    own = torch.Generator().manual_seed(seed)
    with torch.device("meta"):  # torch's own initial weights would come from the global random state
        classifier = MnistClassifier()
    classifier.to_empty(device="cpu")
    _initialize(classifier, own)

    optimizer = torch.optim.AdamW(classifier.parameters(), weight_decay=1e-2)
    steps = epochs * math.ceil(len(images) / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    for _ in range(epochs):
        for chosen in torch.randperm(len(images), generator=own).split(BATCH):
            logits = classifier(_varied(in_range(images[chosen]), own))
            loss = functional.cross_entropy(logits, labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return classifier.eval().requires_grad_(False)


def _initialize(classifier: nn.Module, own: torch.Generator) -> None:
    for layer in classifier.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=own)
            nn.init.zeros_(layer.bias)


def _varied(images: torch.Tensor, own: torch.Generator) -> torch.Tensor:
    """Digits in [-1, 1], turned by up to 8 degrees, stretched by up to 10 %, moved by up to 2 pixels; some with noise.

    Generated digits are never quite like real ones. Moving by parts of a pixel blurs, as resizing does.
    """
    n = len(images)
    angle, stretch, right, down = (2 * torch.rand(4, n, generator=own) - 1) * torch.tensor(
        [[math.radians(8)], [0.1], [2 / 14], [2 / 14]]  # a pixel is 1/14 of the half width
    )
    cosine, sine = (1 + stretch) * angle.cos(), (1 + stretch) * angle.sin()
    grid = functional.affine_grid(
        torch.stack([cosine, -sine, right, sine, cosine, down], dim=1).reshape(n, 2, 3),
        list(images.shape),
        align_corners=False,
    )
    moved = functional.grid_sample(images + 1, grid, align_corners=False) - 1  # what comes in is background, -1
    strength = 0.4 * torch.rand(n, 1, 1, 1, generator=own)
    return (moved + strength * torch.randn(images.shape, generator=own)).clamp(-1, 1)


def main() -> None:
    """Train, write, try."""
    parser = argparse.ArgumentParser(description="Train the classifier of MNIST's digits and write its weights.")
    parser.add_argument("--root", help="the folder that data sets lie in (GANBENCH_DATA where it is not given)")
    parser.add_argument("--output", type=Path, default=WEIGHTS, help="the file to write; the package's own by default")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # sums are then made in one order, and the weights come out the same
    training = Mnist(root=arguments.root).training()
    began = time.perf_counter()
    classifier = train(training.x, training.labels)
    seconds = time.perf_counter() - began
    save_file(classifier.state_dict(), arguments.output)
    sys.stdout.write(f"{seconds:.0f} s; {arguments.output.stat().st_size} bytes\n")
    report(classifier, arguments.root)


if __name__ == "__main__":
    main()
