"""Initial weights."""

from __future__ import annotations

import math
from typing import TypeVar

from torch import nn

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d, nn.Embedding)

BEFORE_RELU = math.sqrt(2)  # gain of the residual branches' convolutions; 1 everywhere else


def glorot(layer: Layer, gain: float = 1.0) -> Layer:
    """Initialize weights uniformly after Glorot and Bengio (2010), times `gain`, and biases to zero; return `layer`."""
    nn.init.xavier_uniform_(layer.weight, gain)
    if not isinstance(layer, nn.Embedding) and layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
