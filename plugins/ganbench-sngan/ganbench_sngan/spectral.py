"""Spectral normalization: layers whose weight has a largest singular value of about 1 (Miyato et al. 2018).

The weight is seen as a matrix, one row an output (a class, in an embedding). Its largest singular value is estimated
by power iteration, one round a forward pass; the estimate goes on from the last one of training mode.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SpectralLinear(nn.Linear):
    """A linear layer of the normalized weight."""

    u: Tensor

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias)
        self.register_buffer("u", _start(out_features))

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_features) -> (N, out_features)."""
        return F.linear(x, normalized(self.weight, self.u, self.training), self.bias)


class SpectralConv2d(nn.Conv2d):
    """A convolution of the normalized weight, its kernel square and odd, that keeps the size of its input."""

    u: Tensor

    def __init__(self, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__(in_channels, out_channels, kernel, padding=kernel // 2)
        self.register_buffer("u", _start(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H, W)."""
        return F.conv2d(x, normalized(self.weight, self.u, self.training), self.bias, padding=self.padding)


class SpectralEmbedding(nn.Embedding):
    """An embedding whose table is normalized."""

    u: Tensor

    def __init__(self, classes: int, features: int) -> None:
        super().__init__(classes, features)
        self.register_buffer("u", _start(classes))

    def forward(self, labels: Tensor) -> Tensor:
        """(N,) of class numbers -> (N, features)."""
        return F.embedding(labels, normalized(self.weight, self.u, self.training))


def normalized(weight: Tensor, u: Tensor, training: bool) -> Tensor:
    """`weight` over its largest singular value, as estimated from `u`, a unit vector of shape (rows,).

    With `training`, `u` is brought a round forward in place. The gradient passes through the singular value too,
    to any order; the singular vectors count as constants.
    """
    matrix = weight.flatten(1)
    with torch.no_grad():
        v = F.normalize(matrix.mT @ u, dim=0)
        better = F.normalize(matrix @ v, dim=0)
        if training:
            # In place, so that a caller who swapped a copy in keeps it apart from the layer's own. The graph
            # holds `better`, which no later pass writes to.
            u.copy_(better)
    return weight / torch.dot(better, matrix @ v)


def _start(rows: int) -> Tensor:
    return F.normalize(torch.randn(rows), dim=0)
