"""How much of the loss reaches G's samples, from the gradients that came back in the loop's own steps of G."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .calls import Call
from .capture import Gradient

DiscriminatorFn = Callable[
    [Call, Mapping[int, Tensor], int], Tensor
]  # logits of a call with other samples put in place
AGREED = 0.5  # mean cosine from which a direction counts; a loss of D's logits alone has 1 or -1


def of_g(gradients: Iterable[Gradient]) -> list[Gradient]:
    """Those of samples that D was given as they are; only where there are none, of what was made of them."""
    every = list(gradients)
    return [gradient for gradient in every if gradient.judged.link == "same"] or every


def scale(scaler: Any, call: Call) -> Tensor | float:
    """What the loop multiplies its losses by; NaN where it may and does not say by how much."""
    if scaler is None:
        _, enabled, dtype = call.autocast
        return math.nan if enabled and dtype == torch.float16 else 1.0
    known = getattr(scaler, "_scale", None)  # on its device: to ask for a number would wait for it
    return known.clone() if isinstance(known, Tensor) else float(scaler.get_scale())


def input_gradient(gradients: Sequence[Gradient], agreements: Sequence[float], data_std: float | Tensor) -> Tensor:
    """Mean norm of ∂L_G/∂x of a sample of a step, times the samples in it, over the data's standard deviation.

    A step is what one state of G's weights has made. The loss is taken for a mean over its samples, also where they
    came in several batches. NaN where the gradients are none of G's alone, as their directions tell, or their scale
    is not known.
    """
    signs = {math.copysign(1, a) for a in agreements if abs(a) >= AGREED}
    if not gradients or len(signs) > 1:
        return torch.tensor(math.nan)
    steps: dict[int, list[Tensor]] = defaultdict(list)
    for gradient in gradients:
        assert gradient.judged.made is not None
        steps[gradient.judged.made.version].append(gradient.total / gradient.scale)
    mean = torch.stack([torch.stack(totals).sum() for totals in steps.values()]).mean()
    return torch.where(mean.isfinite(), mean, math.nan) / data_std


def agreement(gradient: Gradient, judge: DiscriminatorFn) -> float:
    """Mean cosine between the gradient of a loss and that of D's logits at the same samples.

    Below zero, the loss falls as the logits rise. 0 where either has vanished.
    """
    call, slot = gradient.judged.call, gradient.judged.slot
    assert slot is not None
    x = call.leaves[slot].detach().clone().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(judge(call, {slot: x}, len(x)).sum(), x)
    n = min(len(x), len(gradient.rows))
    cosines = nn.functional.cosine_similarity(slope.flatten(1).float()[:n], gradient.rows[:n].to(slope.device), dim=1)
    return float(cosines.nan_to_num(0.0).mean())
