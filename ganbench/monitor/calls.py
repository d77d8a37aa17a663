"""TODO."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten

KEPT_ROWS = 512  # samples of one call


KEPT_BYTES = 4 * 2**20  # of one tensor


@dataclass(frozen=True)
class Call:
    """The arguments of a call on `n` samples, of which the first `kept` are remembered.

    `leaves` are the arguments, positional and named, however they are nested; `batched` says which of them have a
    row for each sample. `training` and `autocast` are the modes that the network was called in.
    """

    leaves: tuple[Any, ...]
    spec: TreeSpec
    n: int
    kept: int
    batched: tuple[int, ...]
    training: tuple[bool, ...]
    autocast: tuple[str, bool, torch.dtype]

    @classmethod
    def of(cls, network: nn.Module, args: Any, kwargs: Any, n: int) -> Call:
        """The call of `network` with these arguments on `n` samples; what it keeps of them is a copy."""
        leaves, spec = tree_flatten((args, kwargs))
        batched = tuple(i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and len_of(leaf) == n)
        kept = rows_kept([leaves[i] for i in batched], n)
        own = tuple(copy_of(leaf, kept if i in batched else None) for i, leaf in enumerate(leaves))
        device = next((leaf.device.type for leaf in leaves if isinstance(leaf, Tensor)), "cpu")
        autocast = (device, torch.is_autocast_enabled(device), torch.get_autocast_dtype(device))
        return cls(own, spec, n, kept, batched, tuple(part.training for part in network.modules()), autocast)

    def repeat(
        self, network: nn.Module, state: Mapping[str, Tensor], put: Mapping[int, Any], training: bool | None = None
    ) -> Any:
        """What `network` in that `state` gives for the same arguments but for those `put` in their places.

        It runs in the modes that the loop called it in, or all in the one that `training` says.
        """
        args, kwargs = tree_unflatten([put.get(i, leaf) for i, leaf in enumerate(self.leaves)], self.spec)
        device, enabled, dtype = self.autocast
        modes = self.training if training is None else [training] * len(list(network.modules()))
        with in_modes(network, modes), torch.autocast(device, dtype=dtype, enabled=enabled):
            return functional_call(network, dict(state), args, kwargs)

    def cut(self, rows: slice) -> Call:
        """The same call on some of its samples."""
        leaves = tuple(leaf[rows] if i in self.batched else leaf for i, leaf in enumerate(self.leaves))
        kept = len(range(*rows.indices(self.kept)))
        return replace(self, leaves=leaves, n=len(range(*rows.indices(self.n))), kept=kept)


def tensors_in(tree: Any) -> list[Tensor]:
    """The tensors in what a network returns, however it is nested."""
    return [leaf for leaf in tree_flatten(tree)[0] if isinstance(leaf, Tensor)]


def len_of(tensor: Tensor) -> int:
    """Its rows; -1 of a number."""
    return tensor.shape[0] if tensor.ndim else -1


def rows_kept(tensors: Sequence[Tensor], n: int) -> int:
    """How many of `n` samples are kept of tensors with a row for each."""
    row = max((tensor.nbytes // max(n, 1) for tensor in tensors), default=0)
    return min(n, KEPT_ROWS, max(2, KEPT_BYTES // max(row, 1)))


def copy_of(leaf: Any, rows: int | None) -> Any:
    """A copy that nobody changes; what is no tensor stays."""
    if not isinstance(leaf, Tensor):
        return leaf
    with torch.inference_mode(False), torch.no_grad():
        return (leaf if rows is None else leaf[:rows]).detach().clone()


@contextmanager
def in_modes(network: nn.Module, training: Sequence[bool]) -> Iterator[None]:
    """The parts of `network` in training or evaluation mode, one flag for each; all as before when it is over."""
    parts = list(network.modules())
    before = [part.training for part in parts]
    flags = training if len(training) == len(parts) else before
    try:
        for part, flag in zip(parts, flags, strict=True):
            part.training = flag
        yield
    finally:
        for part, flag in zip(parts, before, strict=True):
            part.training = flag
