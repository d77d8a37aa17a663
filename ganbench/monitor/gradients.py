"""How much of the generator's loss reaches its samples, from gradients captured in the loop's own steps of G."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from .calls import Call
from .capture import Gradient

MIN_COSINE = 0.5  # from which a direction counts as known; the mean cosine of a loss of D's logits alone is 1 or -1
LogitsFn = Callable[[Call, Mapping[int, Tensor], int], Tensor]  # a call of D, new arguments, and n samples to logits


class LossScaler(Protocol):
    """What is used of a `torch.amp.GradScaler`."""

    def get_scale(self) -> float:
        """Return the factor that losses are multiplied by."""
        ...


def read_loss_scale(scaler: LossScaler | None, call: Call) -> Tensor | float:
    """Return what the loop multiplies its losses by; NaN if that is unknown, under float16 without a scaler."""
    if scaler is None:
        _, enabled, dtype = call.autocast
        return math.nan if enabled and dtype == torch.float16 else 1.0
    scale = getattr(scaler, "_scale", None)  # a tensor on its device: `get_scale` would wait for it
    return scale.clone() if isinstance(scale, Tensor) else float(scaler.get_scale())


def select_gradients(gradients: Iterable[Gradient]) -> list[Gradient]:
    """Return those at samples that D was given as they are; if there are none, those at what was computed from them."""
    captured = list(gradients)
    return [gradient for gradient in captured if gradient.discriminator_call.origin == "identical"] or captured


def mean_input_gradient(gradients: Sequence[Gradient], cosines: Sequence[float], data_std: float | Tensor) -> Tensor:
    """Return the mean norm of ∂L_G/∂x over the samples of a step of G, times their number, over the data's std.

    A step is what one state of G's weights has generated. The loss counts as a mean over the samples of a step, also
    where they came in several batches.

    Args:
        gradients: Those that came back to G's samples.
        cosines: Of each of them, as `cosine_with_logits` returns it.
        data_std: Standard deviation of the data.

    Returns:
        A scalar; NaN if the gradients point both ways, so that some are not of G's loss, or their scale is unknown.
    """
    signs = {math.copysign(1, cosine) for cosine in cosines if abs(cosine) >= MIN_COSINE}
    if not gradients or len(signs) > 1:
        return torch.tensor(math.nan)
    steps: dict[int, list[Tensor]] = defaultdict(list)
    for gradient in gradients:
        generated = gradient.discriminator_call.generated
        assert generated is not None
        steps[generated.weights_version].append(gradient.norm_sum / gradient.loss_scale)
    mean = torch.stack([torch.stack(norm_sums).sum() for norm_sums in steps.values()]).mean()
    return torch.where(mean.isfinite(), mean, math.nan) / data_std


def cosine_with_logits(gradient: Gradient, logits: LogitsFn, rows: int) -> float:
    """Return the mean cosine between the gradient of a loss and that of D's logits at the first `rows` samples.

    Below zero, the loss falls as the logits rise. 0 if either gradient has vanished.
    """
    argument = gradient.discriminator_call.argument
    assert argument is not None
    call = gradient.discriminator_call.call.slice_rows(slice(rows))
    x = call.leaves[argument].detach().clone().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(logits(call, {argument: x}, len(x)).sum(), x)
    n = min(len(x), len(gradient.rows))
    cosines = nn.functional.cosine_similarity(slope.flatten(1).float()[:n], gradient.rows[:n].to(slope.device), dim=1)
    return float(cosines.nan_to_num(0.0).mean())
