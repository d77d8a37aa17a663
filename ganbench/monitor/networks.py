"""What stands between a loop and its network: on which module calls are seen, and which one is called to look.

The loop's networks as functions: of detached weights and of copies of their buffers, which stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .calls import Call, tensors_in
from .wrappers import innermost

PIECE = 16  # samples in a forward pass, at least; else as many as in the loop's own
EVALUATED = 4  # times as many where they do not see each other


class Networks:
    """G, D, and the running average of G where there is one. They can be run inside `with networks.still()`."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module, average: nn.Module | None) -> None:
        self.generator, self.discriminator = innermost(generator), innermost(discriminator)
        self.evaluated = self.generator if average is None else innermost(average)
        self.every = [self.generator, self.discriminator, *([] if average is None else [self.evaluated])]
        self._states: dict[nn.Module, dict[str, Tensor]] = {}

    @contextmanager
    def still(self) -> Iterator[None]:
        """Take the weights as they are now."""
        self._states = {network: _state(network) for network in self.every}
        try:
            yield
        finally:
            self._states = {}

    @torch.no_grad()
    def make(self, call: Call, put: Mapping[int, Tensor], n: int, sample: int, evaluated: bool = False) -> Tensor:
        """`n` samples: the tensor `sample` of what G returns to `call` with other arguments `put` in their places.

        G runs in the modes of the loop; `evaluated`, as it will be used: in evaluation mode, of the average.
        """
        network, training = (self.evaluated, False) if evaluated else (self.generator, None)
        state, samples = self._states[network], []
        for piece, size in _pieces(put, n, EVALUATED * call.n if evaluated else call.n):
            given: dict[int, Any] = dict(piece)
            if not call.batched:  # a generator that is told how many samples to make
                given |= {i: size for i, leaf in enumerate(call.leaves) if type(leaf) is int and leaf == call.n}
            samples.append(tensors_in(call.repeat(network, state, given, training))[sample])
        return torch.cat(samples)

    def logits(self, call: Call, put: Mapping[int, Tensor], n: int) -> Iterator[tuple[Any, int]]:
        """What D returns to `call` with `put` in their places, piece by piece, and the samples in each piece."""
        state = self._states[self.discriminator]
        for piece, size in _pieces(put, n, call.n):
            yield call.repeat(self.discriminator, state, piece), size

    def weight_norms(self) -> tuple[Tensor, Tensor]:
        """Of D and of G."""
        return _norm(self.discriminator), _norm(self.generator)


def _pieces(put: Mapping[int, Tensor], n: int, batch: int) -> Iterator[tuple[dict[int, Tensor], int]]:
    """The arguments in equal pieces of about the loop's batch: as batch statistics and memory expect them."""
    count = math.ceil(n / max(batch, PIECE))
    split = {i: column.tensor_split(count) for i, column in put.items()}
    for k in range(count):
        yield {i: parts[k] for i, parts in split.items()}, n // count + (k < n % count)


def _state(network: nn.Module) -> dict[str, Tensor]:
    weights = {name: weight.detach() for name, weight in network.named_parameters()}
    return weights | {name: buffer.clone() for name, buffer in network.named_buffers()}


def _norm(network: nn.Module) -> Tensor:
    weights = [weight.detach() for weight in network.parameters()]
    return torch.stack(torch._foreach_norm(weights)).float().norm() if weights else torch.zeros(())
