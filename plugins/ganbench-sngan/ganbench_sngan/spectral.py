"""Spectral normalization: layers whose weight has a largest singular value of about 1 (Miyato et al. 2018).

The weight is reshaped to a matrix with a row for each output (in an embedding: each class). Its largest singular value
is estimated by one power iteration per forward pass, which continues from the last one in training mode.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SpectralLinear(nn.Linear):
    """A linear layer with a spectrally normalized weight."""

    u: Tensor

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias)
        self.register_buffer("u", _random_unit_vector(out_features))

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_features) -> (N, out_features)."""
        return F.linear(x, normalized(self.weight, self.u, self.training), self.bias)


class SpectralConv2d(nn.Conv2d):
    """A convolution with a spectrally normalized weight, an odd square kernel and padding that keeps the size."""

    u: Tensor

    def __init__(self, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__(in_channels, out_channels, kernel, padding=kernel // 2)
        self.register_buffer("u", _random_unit_vector(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H, W)."""
        return F.conv2d(x, normalized(self.weight, self.u, self.training), self.bias, padding=self.padding)


class SpectralEmbedding(nn.Embedding):
    """An embedding with a spectrally normalized table."""

    u: Tensor

    def __init__(self, classes: int, features: int) -> None:
        super().__init__(classes, features)
        self.register_buffer("u", _random_unit_vector(classes))

    def forward(self, labels: Tensor) -> Tensor:
        """Map class numbers (N,) to (N, features)."""
        return F.embedding(labels, normalized(self.weight, self.u, self.training))


def normalized(weight: Tensor, u: Tensor, training: bool) -> Tensor:
    """Return `weight` divided by its largest singular value.

    The gradient passes through the singular value too, to any order; the singular vectors count as constants.

    Args:
        weight: Of any shape whose first axis has the rows of the matrix.
        u: Estimate of the left singular vector, a unit vector of shape (rows,); updated in place when training.
        training: Whether to update `u`.
    """
    matrix = weight.flatten(1)
    with torch.no_grad():
        v = F.normalize(matrix.mT @ u, dim=0)
        updated = F.normalize(matrix @ v, dim=0)
        if training:
            # In place, so that a copy swapped in by functional_call is updated, not the layer's own. The graph
            # holds `updated`, which no later pass writes to.
            u.copy_(updated)
    return weight / torch.dot(updated, matrix @ v)


def _random_unit_vector(rows: int) -> Tensor:
    return F.normalize(torch.randn(rows), dim=0)
