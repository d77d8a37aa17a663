"""scikit-learn's 1,797 real handwritten digits of 8x8 pixels (UCI, Alpaydin and Kaynak 1998), in [-1, 1]."""

from __future__ import annotations

import functools

import numpy as np
import torch

import ganbench

N_TRAINING = 1200  # of 1,797; the digit classifier of the metrics is trained on the same images


class Digits(ganbench.Dataset):
    """Real 8x8 handwritten digits, grey, labelled: 1,200 to train on and 597 held out."""

    spec = ganbench.DataSpec("images", (1, 8, 8), value_range=(-1.0, 1.0), classes=10)

    def __init__(self) -> None: ...

    def training(self) -> ganbench.Batch:
        """Return images (1200, 1, 8, 8) and labels."""
        return _split_digits()[0]

    def held_out(self) -> ganbench.Batch:
        """Return images (597, 1, 8, 8) and labels."""
        return _split_digits()[1]


class StackedDigits(ganbench.Dataset):
    """Three random digits as colour channels: 1,000 modes (stacked MNIST's protocol, on 8x8 digits).

    Args:
        size: Training images.
        held_out: Held-out images.
        classes: Use only the digits below this number: 4 make 64 modes.
    """

    spec = ganbench.DataSpec("images", (3, 8, 8), value_range=(-1.0, 1.0))

    def __init__(self, *, size: int = 50_000, held_out: int = 10_000, classes: int = 10) -> None:
        if size < 1 or held_out < 1:
            raise ValueError(f"size = {size} and held_out = {held_out} must be positive")
        if not 1 <= classes <= 10:
            raise ValueError(f"classes = {classes} must be from 1 to 10")
        self._sizes = (size, held_out)
        self._classes = classes

    def training(self) -> ganbench.Batch:
        """Return images (size, 3, 8, 8), made of the training digits."""
        return self._stack(_split_digits()[0], self._sizes[0], seed=1)

    def held_out(self) -> ganbench.Batch:
        """Return images (held_out, 3, 8, 8), made of digits that training never sees."""
        return self._stack(_split_digits()[1], self._sizes[1], seed=2)

    def _stack(self, digits: ganbench.Batch, n: int, seed: int) -> ganbench.Batch:
        assert digits.labels is not None
        images = digits.x[digits.labels < self._classes]
        chosen = torch.randint(len(images), (n, 3), generator=torch.Generator().manual_seed(seed))
        return ganbench.Batch(images[chosen, 0])


@functools.cache
def _split_digits() -> tuple[ganbench.Batch, ganbench.Batch]:
    """Return the training and the held-out digits, (N, 1, 8, 8) with labels 0 to 9."""
    from sklearn.datasets import load_digits  # takes a second to import

    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.images))
    images = torch.from_numpy(digits.images[order].astype(np.float32) / 8 - 1).unsqueeze(1)
    labels = torch.from_numpy(digits.target[order].astype(np.int64))
    return (
        ganbench.Batch(images[:N_TRAINING], labels[:N_TRAINING]),
        ganbench.Batch(images[N_TRAINING:], labels[N_TRAINING:]),
    )
