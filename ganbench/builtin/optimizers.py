"""torch's optimizers, with torch's names of options and the defaults of this field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec

Rate = Annotated[float, msgspec.Meta(gt=0)]
Decay = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Weight = Annotated[float, msgspec.Meta(ge=0)]

# One kernel for all weights where torch has one: most of a small network's step is overhead.


def adam(
    parameters: Iterable[Any],
    *,
    lr: Rate = 2e-4,
    betas: tuple[Decay, Decay] = (0.5, 0.999),
    eps: Rate = 1e-8,
    weight_decay: Weight = 0.0,
) -> Any:
    """torch.optim.Adam, with DCGAN's defaults.

    Args:
        lr: Learning rate.
        betas: Decay of the averages of the gradient and of its square.
        eps: Added to the denominator.
        weight_decay: L2 penalty.
    """
    import torch

    return torch.optim.Adam(parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=True)


def adamw(
    parameters: Iterable[Any],
    *,
    lr: Rate = 2e-4,
    betas: tuple[Decay, Decay] = (0.5, 0.999),
    eps: Rate = 1e-8,
    weight_decay: Weight = 0.0,
) -> Any:
    """torch.optim.AdamW: Adam with weight decay apart from the gradient.

    Args:
        lr: Learning rate.
        betas: Decay of the averages of the gradient and of its square.
        eps: Added to the denominator.
        weight_decay: Decoupled weight decay.
    """
    import torch

    return torch.optim.AdamW(parameters, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=True)


def sgd(parameters: Iterable[Any], *, lr: Rate = 1e-2, momentum: Decay = 0.0, weight_decay: Weight = 0.0) -> Any:
    """torch.optim.SGD: gradient descent, with or without momentum.

    Args:
        lr: Learning rate.
        momentum: Share of the last update that is kept.
        weight_decay: L2 penalty.
    """
    import torch

    return torch.optim.SGD(parameters, lr=lr, momentum=momentum, weight_decay=weight_decay, fused=True)


def rmsprop(
    parameters: Iterable[Any],
    *,
    lr: Rate = 5e-5,
    alpha: Decay = 0.99,
    momentum: Decay = 0.0,
    weight_decay: Weight = 0.0,
) -> Any:
    """torch.optim.RMSprop, with the learning rate of the Wasserstein GAN paper.

    Args:
        lr: Learning rate.
        alpha: Decay of the average of the gradient's square.
        momentum: Share of the last update that is kept.
        weight_decay: L2 penalty.
    """
    import torch

    return torch.optim.RMSprop(parameters, lr=lr, alpha=alpha, momentum=momentum, weight_decay=weight_decay)
