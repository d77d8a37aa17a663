"""The gradient of a discriminator with respect to its input."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..contract.outputs import mean_over_map
from ..contract.records import Batch
from .discriminator import BoundDiscriminator


def input_gradient(d: Callable[[Batch], torch.Tensor], batch: Batch) -> torch.Tensor:
    """Return the gradient of each sample's logit with respect to the sample, of the shape of `batch.x`.

    The logit of a sample is the mean over a map of logits. The gradient can be differentiated again, so that a penalty on
    it trains D.
    """
    leaf = d.leaf(batch) if isinstance(d, BoundDiscriminator) else batch.with_x(batch.x.detach().requires_grad_())
    logits = mean_over_map(d(leaf))
    (gradient,) = torch.autograd.grad(logits.sum(), leaf.x, create_graph=True)
    return gradient
