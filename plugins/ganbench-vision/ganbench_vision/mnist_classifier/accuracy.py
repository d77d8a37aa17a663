"""How well the classifier reads MNIST's 10,000 test digits, which it was not trained on.

python -m ganbench_vision.mnist_classifier.accuracy --root ~/data
"""

from __future__ import annotations

import argparse
import sys

import torch

from ..mnist import Mnist
from .network import MnistClassifier, digits_of, load

SIZES = (28, 32, 48, 64)


def in_range(images: torch.Tensor) -> torch.Tensor:
    """Bytes as numbers in [-1, 1]."""
    return images.float() / 127.5 - 1


def accuracy(classifier: MnistClassifier, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of `images` (N, 1, H, W) in uint8 whose digit is read rightly."""
    return float((digits_of(in_range(images), classifier)[:, 0] == labels).double().mean())


def report(classifier: MnistClassifier, root: str | None) -> None:
    """Write the accuracy at each size that MNIST may be resized to."""
    for size in SIZES:
        test = Mnist(root=root, size=size).held_out()
        share = accuracy(classifier, test.x, test.labels)
        sys.stdout.write(f"accuracy {share:.4f} on {len(test.x)} test digits of {size}x{size}\n")


def main() -> None:
    """Try the trained classifier."""
    parser = argparse.ArgumentParser(description="Accuracy of the trained classifier on MNIST's test digits.")
    parser.add_argument("--root", help="the folder that data sets lie in (GANBENCH_DATA where it is not given)")
    report(load(), parser.parse_args().root)


if __name__ == "__main__":
    main()
