"""Spectral normalization (Miyato et al. 2018, https://arxiv.org/abs/1802.05957).

Computes what `torch.nn.utils.parametrizations.spectral_norm` does and has its names in state dicts, so that weights can be
exchanged; but networks that are stacked can be mapped over with `torch.func.vmap`, and a step can be captured as a graph of
kernels: the singular vectors are updated in place, and nothing in Python changes or waits for the device.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

Layer = TypeVar("Layer", bound=nn.Module)

FIRST_ITERATIONS = 15  # of the power method, when a layer is wrapped


class SpectralNorm(nn.Module):
    """Divides a weight by its largest singular value.

    The weight is reshaped to a matrix with a row for each output. The singular vectors are constants to the gradient, which
    passes through the singular value.

    Args:
        weight: The weight as it is now, of at least two axes.
        iterations: Of the power method, a forward pass in training mode.
        dim: The axis of the outputs.
        eps: Smallest norm that a vector is divided by.
    """

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        self.iterations, self.dim, self.eps = iterations, dim, eps
        with torch.no_grad():
            matrix = self._matrix_of(weight)
            vectors = [matrix.new_empty(size).normal_() for size in matrix.shape]
            for name, vector in zip(("_u", "_v"), vectors, strict=True):
                self.register_buffer(name, F.normalize(vector, dim=0, eps=eps))
            self._iterate(matrix, FIRST_ITERATIONS)

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight, of the same shape, with a largest singular value of about 1."""
        with torch.autocast(weight.device.type, enabled=False):
            matrix = self._matrix_of(weight)
            u, v = self._iterate(matrix, self.iterations) if self.training else (self._u.clone(), self._v.clone())
            return weight / torch.vdot(u, torch.mv(matrix, v))

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Return the weight that is stored where `weight` is assigned."""
        return weight

    def _matrix_of(self, weight: Tensor) -> Tensor:
        return weight.movedim(self.dim, 0).flatten(1)

    @torch.no_grad()
    def _iterate(self, matrix: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
        """Update and return the singular vectors: tensors that no later pass writes to, so that a graph may hold them."""
        u, v = self._u, self._v
        for _ in range(iterations):
            u = F.normalize(torch.mv(matrix, v), dim=0, eps=self.eps)
            v = F.normalize(torch.mv(matrix.mT, u), dim=0, eps=self.eps)
        # In place, so that a copy swapped in by functional_call is updated, not the layer's own.
        self._u.copy_(u)
        self._v.copy_(v)
        return u, v


def spectral_norm(layer: Layer, iterations: int = 1, eps: float = 1e-12) -> Layer:
    """Return `layer` with its weight spectrally normalized, from what the weight is now."""
    dim = 1 if isinstance(layer, nn.modules.conv._ConvTransposeNd) else 0
    weight: Any = layer.weight
    parametrize.register_parametrization(layer, "weight", SpectralNorm(weight, iterations, dim, eps))
    return layer
