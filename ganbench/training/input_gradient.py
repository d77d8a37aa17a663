"""The gradient of a discriminator with respect to its input."""

from __future__ import annotations

import torch

from ..contract.records import Batch, DiscriminatorFn


def input_gradient(d: DiscriminatorFn, batch: Batch) -> torch.Tensor:
    """Return the gradient of each sample's logit with respect to the sample, of the shape of `batch.x`.

    It can be differentiated again, so that a penalty on it trains D.
    """
    x = batch.x.detach().requires_grad_()
    logits = d(Batch(x, batch.labels))
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gradient
