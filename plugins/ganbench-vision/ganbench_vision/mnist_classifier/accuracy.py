"""Accuracy of the classifier on MNIST's 10,000 test digits, which it was not trained on.

python -m ganbench_vision.mnist_classifier.accuracy --root ~/data
"""

from __future__ import annotations

import argparse
import sys

import torch

from ..mnist import Mnist
from .network import MnistClassifier, classify, load

SIZES = (28, 32, 48, 64)


def scale_to_range(images: torch.Tensor) -> torch.Tensor:
    """Return uint8 images as floats in [-1, 1]."""
    return images.float() / 127.5 - 1


def accuracy(classifier: MnistClassifier, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the share of `images` (N, 1, H, W) in uint8 that are classified as their `labels` (N,)."""
    return float((classify(scale_to_range(images), classifier)[:, 0] == labels).double().mean())


def print_accuracy(classifier: MnistClassifier, root: str | None) -> None:
    """Print the accuracy at each size that MNIST is commonly resized to."""
    for size in SIZES:
        test = Mnist(root=root, size=size).held_out()
        share = accuracy(classifier, test.x, test.labels)
        sys.stdout.write(f"accuracy {share:.4f} on {len(test.x)} test digits of {size}x{size}\n")


def main() -> None:
    """Print the accuracy of the shipped classifier."""
    parser = argparse.ArgumentParser(description="Accuracy of the trained classifier on MNIST's test digits.")
    parser.add_argument("--root", help="the folder of data sets; GANBENCH_DATA by default")
    print_accuracy(load(), parser.parse_args().root)


if __name__ == "__main__":
    main()
