"""A recorded forward call of a network: its arguments, and how to repeat it with other samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten

MAX_ROWS_PER_CALL = 512  # samples of a call whose arguments are copied
MAX_BYTES_PER_TENSOR = 4 * 2**20  # of the copy of one argument


@dataclass(frozen=True)
class Call:
    """The arguments of a forward call on `n` samples, of which the first `n_kept` are recorded.

    Attributes:
        leaves: All arguments, positional and keyword, flattened; tensors are copies.
        spec: The nesting that `leaves` are unflattened to.
        n: Samples in the call.
        n_kept: Samples whose rows are recorded.
        batched: Indices of the leaves that have a row for each sample.
        training: The training flag of each submodule at the time of the call.
        autocast: Device type, whether autocast was enabled, and its dtype.
    """

    leaves: tuple[Any, ...]
    spec: TreeSpec
    n: int
    n_kept: int
    batched: tuple[int, ...]
    training: tuple[bool, ...]
    autocast: tuple[str, bool, torch.dtype]

    @classmethod
    def record(cls, network: nn.Module, args: Any, kwargs: Any, n: int) -> Call:
        """Record a call of `network` with these arguments on `n` samples."""
        leaves, spec = tree_flatten((args, kwargs))
        batched = tuple(i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and count_rows(leaf) == n)
        n_kept = limit_rows([leaves[i] for i in batched], n)
        copies = tuple(copy_leaf(leaf, n_kept if i in batched else None) for i, leaf in enumerate(leaves))
        device = next((leaf.device.type for leaf in leaves if isinstance(leaf, Tensor)), "cpu")
        autocast = (device, torch.is_autocast_enabled(device), torch.get_autocast_dtype(device))
        return cls(copies, spec, n, n_kept, batched, tuple(part.training for part in network.modules()), autocast)

    def repeat(self, detached: DetachedNetwork, replacements: Mapping[int, Any], training: bool | None = None) -> Any:
        """Return the output of a network for the same arguments, except for some.

        Args:
            detached: The network that was called, or another one with the same signature.
            replacements: New arguments by their index in `leaves`.
            training: The training flag of all submodules; None for those of the recorded call.
        """
        args, kwargs = tree_unflatten([replacements.get(i, leaf) for i, leaf in enumerate(self.leaves)], self.spec)
        device, enabled, dtype = self.autocast
        flags = self.training if training is None else [training] * len(detached.parts)
        with detached.exchanged(flags), torch.autocast(device, dtype=dtype, enabled=enabled):
            return detached.network(*args, **kwargs)

    def slice_rows(self, rows: slice) -> Call:
        """Return the same call on some of its samples."""
        leaves = tuple(leaf[rows] if i in self.batched else leaf for i, leaf in enumerate(self.leaves))
        n_kept = len(range(*rows.indices(self.n_kept)))
        return replace(self, leaves=leaves, n=len(range(*rows.indices(self.n))), n_kept=n_kept)


class DetachedNetwork:
    """A network that is run with detached weights and copies of its buffers, as they were when this was made.

    As `torch.func.functional_call`, in a tenth of its time beside a small network: what is exchanged is found once.

    Attributes:
        network: The network.
        parts: Its submodules, each once: exchanged twice, tensors would not be put back.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network, self.parts = network, list(network.modules())
        copies = {id(buffer): buffer.clone() for buffer in network.buffers()}
        self._exchanged: list[tuple[dict[str, Any], str, Tensor]] = []
        for part in self.parts:
            weights = {name: weight.detach() for name, weight in part._parameters.items() if weight is not None}
            buffers = {name: copies[id(buffer)] for name, buffer in part._buffers.items() if buffer is not None}
            for held, tensors in ((part._parameters, weights), (part._buffers, buffers)):
                self._exchanged += [(held, name, tensor) for name, tensor in tensors.items()]

    @contextmanager
    def exchanged(self, flags: Sequence[bool]) -> Iterator[None]:
        """Exchange weights, buffers and the training flag of each part, and put all of them back on exit.

        Flags of another network than this one are left aside.
        """
        own = [held[name] for held, name, _ in self._exchanged]
        before = [part.training for part in self.parts]
        try:
            for held, name, tensor in self._exchanged:
                held[name] = tensor
            _set_training(self.parts, flags if len(flags) == len(before) else before)
            yield
        finally:
            for (held, name, _), tensor in zip(self._exchanged, own, strict=True):
                held[name] = tensor
            _set_training(self.parts, before)


def collect_tensors(tree: Any) -> list[Tensor]:
    """Return the tensors in a network's arguments or output, however they are nested."""
    return [leaf for leaf in tree_flatten(tree)[0] if isinstance(leaf, Tensor)]


def count_rows(tensor: Tensor) -> int:
    """Return the length of the first dimension; -1 for a scalar."""
    return tensor.shape[0] if tensor.ndim else -1


def limit_rows(tensors: Sequence[Tensor], n: int) -> int:
    """Return how many of the `n` rows of such tensors may be copied."""
    row_bytes = max((tensor.nbytes // max(n, 1) for tensor in tensors), default=0)
    return min(n, MAX_ROWS_PER_CALL, max(2, MAX_BYTES_PER_TENSOR // max(row_bytes, 1)))


def copy_leaf(leaf: Any, rows: int | None) -> Any:
    """Return a detached copy of a tensor, or of its first `rows`; anything else is returned as it is."""
    if not isinstance(leaf, Tensor):
        return leaf
    with torch.inference_mode(False), torch.no_grad():
        return (leaf if rows is None else leaf[:rows]).detach().clone()


def _set_training(parts: Sequence[nn.Module], flags: Sequence[bool]) -> None:
    for part, flag in zip(parts, flags, strict=True):
        if part.training is not flag:  # setting an attribute of a module is dear beside a small network
            part.training = flag
