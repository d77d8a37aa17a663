"""One logit for each sample, read from whatever a discriminator returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..contract.outputs import combine_heads, mean_over_map
from ..observation.logits import list_tensors, locate_logits

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

    Logits are found as `observation.logits.locate_logits` says; of packs of samples each sample gets the logit of its pack.
    Probabilities become logits.

    Args:
        extract: A function from the output to the logits, instead of their shape.

    Attributes:
        probabilities: Whether the output holds probabilities; set by `detect_sigmoid`.
        about_sample: Which of the tensors in the output are about the sample, where others are about its partner; None
            for all of them.
        pack: Samples that D judges together.
    """

    def __init__(self, extract: Callable[[Any], Tensor] | None = None) -> None:
        self._extract = extract
        self.probabilities = False
        self.about_sample: tuple[int, ...] | None = None
        self.pack = 1

    def __call__(self, output: Any, n: int) -> Tensor:
        """Return the logits of `n` samples, (n,) in float32. Raise LogitsNotFound if there are none."""
        return combine_heads(self._read(self._find(output, n), n), "mean")

    def heads(self, output: Any, n: int) -> Tensor:
        """Return the logits of each head, (heads, n) in float32: of each map, or of each tensor with a logit a sample."""
        return torch.stack(self._read(self._find(output, n, heads=True), n))

    def _read(self, tensors: list[Tensor], n: int) -> list[Tensor]:
        values = [tensor.float() for tensor in tensors]
        if self.probabilities:
            values = [torch.logit(tensor, PROBABILITY_EPS) for tensor in values]
        of_packs = [mean_over_map(tensor.reshape(n // self.pack, -1)) for tensor in values]
        return of_packs if self.pack == 1 else [logits.repeat_interleave(self.pack) for logits in of_packs]

    def detect_sigmoid(self, output: Any, n: int) -> None:
        """Detect whether `output`, which has an autograd graph, ends in a sigmoid."""
        self.probabilities = all(_ends_in_sigmoid(tensor.grad_fn) for tensor in self._find(output, n))

    def _find(self, output: Any, n: int, *, heads: bool = False) -> list[Tensor]:
        """Return the tensors that hold the logits, or those of all heads."""
        if self._extract is not None:
            logits = self._extract(output)
            if not isinstance(logits, Tensor) or logits.numel() % (n // self.pack) or not logits.numel():
                raise LogitsNotFound(f"`logits` returns {_describe(logits)} for {n} samples, not a logit for each")
            return [logits]
        tensors = list_tensors(output)
        located = locate_logits(tensors, n, self.about_sample, self.pack)
        if not located.all:
            found = ", ".join(_describe(tensor) for tensor in tensors) or type(output).__name__
            raise LogitsNotFound(
                f"the discriminator returns {found} for {n} samples: no logits of shape (N,), (N, 1) or "
                "(N, 1, height, width); say where they are with Monitor(..., logits=lambda output: ...)"
            )
        return [tensors[i] for i in (located.heads if heads else located.counted)]


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
