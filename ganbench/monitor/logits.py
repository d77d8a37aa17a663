"""One logit for each sample, read from whatever a discriminator returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .calls import collect_tensors, count_rows

PROBABILITY_EPS = 1e-7  # probabilities are clamped to this distance from 0 and 1; float32 knows none nearer to 1
SIGMOID_NODES = ("SigmoidBackward", "LogisticBackward")  # names of autograd nodes
VALUE_PRESERVING_NODES = (
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


class LogitsNotFound(ValueError):
    """The discriminator's output holds no logit for each sample."""


class LogitReader:
    """Reads one logit for each sample from a discriminator's output.

    Logits are the first tensor with one value for each sample, (N,) or (N, 1); otherwise the mean over all maps
    (N, 1, height, width), as patch discriminators return, of one scale or several. Probabilities become logits.

    Args:
        extract: A function from the output to the logits, instead of their shape.

    Attributes:
        probabilities: Whether the output holds probabilities; set by `detect_sigmoid`.
    """

    def __init__(self, extract: Callable[[Any], Tensor] | None = None) -> None:
        self._extract = extract
        self.probabilities = False

    def __call__(self, output: Any, n: int) -> Tensor:
        """Return the logits of `n` samples, (n,) in float32. Raise LogitsNotFound if there are none."""
        tensors = [tensor.float() for tensor in self._find(output, n)]
        if self.probabilities:
            tensors = [torch.logit(tensor, PROBABILITY_EPS) for tensor in tensors]
        return torch.stack([tensor.reshape(n, -1).mean(1) for tensor in tensors]).mean(0)

    def detect_sigmoid(self, output: Any, n: int) -> None:
        """Detect whether `output`, which has an autograd graph, ends in a sigmoid."""
        self.probabilities = all(_ends_in_sigmoid(tensor.grad_fn) for tensor in self._find(output, n))

    def _find(self, output: Any, n: int) -> list[Tensor]:
        """Return the tensors that hold the logits."""
        if self._extract is not None:
            logits = self._extract(output)
            if not isinstance(logits, Tensor) or logits.numel() % n or not logits.numel():
                raise LogitsNotFound(f"`logits` returns {_describe(logits)} for {n} samples, not a logit for each")
            return [logits]
        tensors = [t for t in collect_tensors(output) if t.is_floating_point() and count_rows(t) == n]
        single = [tensor for tensor in tensors if tensor.numel() == n]
        maps = [tensor for tensor in tensors if tensor.ndim > 2 and tensor.shape[1] == 1]
        if not single and not maps:
            found = ", ".join(_describe(tensor) for tensor in collect_tensors(output)) or type(output).__name__
            raise LogitsNotFound(
                f"the discriminator returns {found} for {n} samples: no logits of shape (N,), (N, 1) or "
                "(N, 1, height, width); say where they are with Monitor(..., logits=lambda output: ...)"
            )
        return single[:1] or maps


def _ends_in_sigmoid(node: Any) -> bool:
    """Return whether the last operation of an autograd graph that changes values is a sigmoid."""
    while node is not None:
        name = node.name()
        if name.startswith(SIGMOID_NODES):
            return True
        if not name.removeprefix("Unsafe").startswith(VALUE_PRESERVING_NODES) or not node.next_functions:
            return False
        node = node.next_functions[0][0]
    return False


def _describe(value: object) -> str:
    return str(tuple(value.shape)) if isinstance(value, Tensor) else type(value).__name__
