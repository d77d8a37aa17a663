"""One logit a sample, out of whatever a discriminator returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .calls import len_of, tensors_in

SMALLEST = 1e-7  # probability; float32 knows none nearer to 1
SIGMOIDS = ("SigmoidBackward", "LogisticBackward")
PASSING = (
    "View",
    "Squeeze",
    "Unsqueeze",
    "Reshape",
    "ToCopy",
    "Select",
    "Slice",
    "Clone",
    "Clamp",
    "Alias",
    "T",
    "Permute",
)


class NoLogits(ValueError):
    """What the discriminator returns holds no logit for each sample."""


class LogitReader:
    """Reads logits: by `given`, a function from the discriminator's output to them, or by their shape.

    By shape they are the first tensor with one value a sample, (N,) or (N, 1); else the mean over the maps
    (N, 1, height, width) that a patch discriminator, or several of them, return. Probabilities become logits.
    """

    def __init__(self, given: Callable[[Any], Tensor] | None = None) -> None:
        self._given = given
        self.probabilities = False

    def __call__(self, output: Any, n: int) -> Tensor:
        """The logits, (n,) in float32, of the `n` samples behind `output`. Raises NoLogits."""
        found = [tensor.float() for tensor in self._places(output, n)]
        if self.probabilities:
            found = [torch.logit(tensor, SMALLEST) for tensor in found]
        return torch.stack([tensor.reshape(n, -1).mean(1) for tensor in found]).mean(0)

    def notice(self, output: Any, n: int) -> None:
        """See whether `output`, which has a graph, ends in a sigmoid."""
        nodes = [tensor.grad_fn for tensor in self._places(output, n)]
        self.probabilities = all(_sigmoid(node) for node in nodes)

    def _places(self, output: Any, n: int) -> list[Tensor]:
        if self._given is not None:
            logits = self._given(output)
            if not isinstance(logits, Tensor) or logits.numel() % n or not logits.numel():
                raise NoLogits(f"`logits` gives {_told(logits)} for {n} samples, not a logit for each")
            return [logits]
        tensors = [t for t in tensors_in(output) if t.is_floating_point() and len_of(t) == n]
        single = [tensor for tensor in tensors if tensor.numel() == n]
        maps = [tensor for tensor in tensors if tensor.ndim > 2 and tensor.shape[1] == 1]
        if not single and not maps:
            told = ", ".join(_told(tensor) for tensor in tensors_in(output)) or type(output).__name__
            raise NoLogits(
                f"the discriminator returns {told} for {n} samples: no (N,), (N, 1) or (N, 1, height, width) of logits; "
                "say where they are with Monitor(..., logits=lambda output: ...)"
            )
        return single[:1] or maps


def _sigmoid(node: Any) -> bool:
    """Whether the last operation that changed a value was a sigmoid."""
    while node is not None:
        name = node.name()
        if name.startswith(SIGMOIDS):
            return True
        if not name.removeprefix("Unsafe").startswith(PASSING) or not node.next_functions:
            return False
        node = node.next_functions[0][0]
    return False


def _told(thing: Any) -> str:
    return str(tuple(thing.shape)) if isinstance(thing, Tensor) else type(thing).__name__
