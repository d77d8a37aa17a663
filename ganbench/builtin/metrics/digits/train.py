"""Trains the digit classifier and writes its weights.

    python -m ganbench.builtin.metrics.digits.train

It learns from the training part of scikit-learn's digits alone, the 1,200 images that the data set `digits` trains on,
and is tried on the other 597. The weights in the tree came from this command, which printed

    accuracy 0.9950 on 597 held-out digits, 0.9992 on 1200 seen; 15 s; 127440 bytes
"""

import math
import sys
import time

import numpy as np
import torch
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

from .classifier import WEIGHTS, DigitClassifier

SEED = 0
EPOCHS = 120
BATCH = 60
TRAINING = 1200


def split() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Images (N, 1, 8, 8) in [-1, 1] and digits (N,): those to learn from, and those held out."""
    digits = load_digits()
    images = torch.from_numpy(digits.images.astype(np.float32) / 8 - 1)[:, None]
    labels = torch.from_numpy(digits.target).long()
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(labels)))
    train, held_out = order[:TRAINING], order[TRAINING:]
    return (images[train], labels[train]), (images[held_out], labels[held_out])


def train(seed: int = SEED, epochs: int = EPOCHS) -> DigitClassifier:
    """A classifier trained on the training part; the same seed gives the same one, on one thread."""
    own = torch.Generator().manual_seed(seed)
    (images, labels), _ = split()
    classifier = _fresh(own)
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=2e-3, weight_decay=1e-2)
    steps = epochs * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    for _ in range(epochs):
        for chosen in torch.randperm(len(images), generator=own).split(BATCH):
            logits = classifier(_varied(images[chosen], own))
            loss = functional.cross_entropy(logits, labels[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return classifier.eval()


def accuracy(classifier: DigitClassifier, images: Tensor, labels: Tensor) -> float:
    """Share of images whose digit is recognised."""
    with torch.no_grad():
        return float((classifier(images).argmax(dim=1) == labels).double().mean())


def _fresh(own: torch.Generator) -> DigitClassifier:
    with torch.device("meta"):  # torch's own initial weights would come from the global random state
        classifier = DigitClassifier()
    classifier.to_empty(device="cpu")
    for layer in classifier.children():
        assert isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=own)
        nn.init.zeros_(layer.bias)
    return classifier


def _varied(images: Tensor, own: torch.Generator) -> Tensor:
    """Images turned by up to 8 degrees, stretched by up to 10 %, moved by up to a pixel, with a little noise.

    Generated digits are never quite like real ones: features should follow what changes a digit, and little else.
    """
    n = len(images)
    angle, stretch, right, down = (2 * torch.rand(4, n, generator=own) - 1) * torch.tensor(
        [[math.radians(8)], [0.1], [0.25], [0.25]]  # a pixel is 0.25 of the half width
    )
    cosine, sine = (1 + stretch) * angle.cos(), (1 + stretch) * angle.sin()
    grid = functional.affine_grid(
        torch.stack([cosine, -sine, right, sine, cosine, down], dim=1).reshape(n, 2, 3),
        list(images.shape),
        align_corners=False,
    )
    moved = (
        functional.grid_sample(images + 1, grid, align_corners=False) - 1
    )  # what comes in is -1, the background
    return moved + 0.1 * torch.randn(images.shape, generator=own)


def main() -> None:
    """Train, try, write."""
    torch.set_num_threads(1)  # sums are then made in one order, and the weights come out the same
    began = time.perf_counter()
    classifier = train()
    seconds = time.perf_counter() - began
    seen, held_out = split()
    save_file(classifier.state_dict(), WEIGHTS)
    sys.stdout.write(
        f"accuracy {accuracy(classifier, *held_out):.4f} on {len(held_out[1])} held-out digits, "
        f"{accuracy(classifier, *seen):.4f} on {len(seen[1])} seen; {seconds:.0f} s; "
        f"{WEIGHTS.stat().st_size} bytes\n"
    )


if __name__ == "__main__":
    main()
