"""Train the MNIST classifier that ships with ganbench-vision, and write its weights.

    python scripts/train_mnist_classifier.py --root ~/data

It is trained on MNIST's 60,000 training digits. The shipped weights came from this command, which prints the accuracy
on the test digits at the end; so does `python -m ganbench_vision.mnist_classifier.accuracy`.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path

import torch
from ganbench_vision.mnist import Mnist
from ganbench_vision.mnist_classifier.accuracy import print_accuracy, scale_to_range
from ganbench_vision.mnist_classifier.network import WEIGHTS, MnistClassifier
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

SEED = 0
EPOCHS = 6
BATCH_SIZE = 100


def train(images: torch.Tensor, labels: torch.Tensor, seed: int = SEED, epochs: int = EPOCHS) -> MnistClassifier:
    """Return a classifier trained on `images` (N, 1, 28, 28) in uint8 and `labels` (N,).

    The same seed gives the same weights, on one thread.
    """
    stream = torch.Generator().manual_seed(seed)
    with torch.device("meta"):  # torch's own initial weights would come from the global random state
        classifier = MnistClassifier()
    classifier.to_empty(device="cpu")
    _initialize(classifier, stream)

    optimizer = torch.optim.AdamW(classifier.parameters(), weight_decay=1e-2)
    steps = epochs * math.ceil(len(images) / BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    for _ in range(epochs):
        for chosen in torch.randperm(len(images), generator=stream).split(BATCH_SIZE):
            logits = classifier(_augment(scale_to_range(images[chosen]), stream))
            loss = functional.cross_entropy(logits, labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return classifier.eval().requires_grad_(False)


def _initialize(classifier: nn.Module, stream: torch.Generator) -> None:
    for layer in classifier.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=stream)
            nn.init.zeros_(layer.bias)


def _augment(images: torch.Tensor, stream: torch.Generator) -> torch.Tensor:
    """Rotate digits in [-1, 1] by up to 8 degrees, scale by up to 10 %, shift by up to 2 pixels, and add noise to some.

    Generated digits differ from real ones in such ways. A shift by a fraction of a pixel blurs, as resizing does.
    """
    n = len(images)
    angle, scale, right, down = (2 * torch.rand(4, n, generator=stream) - 1) * torch.tensor(
        [[math.radians(8)], [0.1], [2 / 14], [2 / 14]]  # a pixel is 1/14 of the half width
    )
    cosine, sine = (1 + scale) * angle.cos(), (1 + scale) * angle.sin()
    grid = functional.affine_grid(
        torch.stack([cosine, -sine, right, sine, cosine, down], dim=1).reshape(n, 2, 3),
        list(images.shape),
        align_corners=False,
    )
    moved = functional.grid_sample(images + 1, grid, align_corners=False) - 1  # padding is background, -1
    strength = 0.4 * torch.rand(n, 1, 1, 1, generator=stream)
    return (moved + strength * torch.randn(images.shape, generator=stream)).clamp(-1, 1)


def main() -> None:
    """Train, write the weights and print the accuracy."""
    parser = argparse.ArgumentParser(description="Train the classifier of MNIST's digits and write its weights.")
    parser.add_argument("--root", help="the folder of data sets; GANBENCH_DATA by default")
    parser.add_argument("--output", type=Path, default=WEIGHTS, help="the file to write; the package's own by default")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # one order of summation, so that the weights are reproducible
    training = Mnist(root=arguments.root).training()
    began = time.perf_counter()
    classifier = train(training.x, training.labels)
    seconds = time.perf_counter() - began
    save_file(classifier.state_dict(), arguments.output)
    sys.stdout.write(f"{seconds:.0f} s; {arguments.output.stat().st_size} bytes\n")
    print_accuracy(classifier, arguments.root)


if __name__ == "__main__":
    main()
