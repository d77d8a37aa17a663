"""Sees what makes the host wait for the device, or the device for the host: neither can be part of a graph."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

READING = {  # operations whose outcome, or whose shape, the host has to know
    *("_local_scalar_dense", "item", "_linalg_check_errors", "bincount", "equal", "is_nonzero", "masked_select"),
    *("nonzero", "_unique", "_unique2", "unique_consecutive", "unique_dim", "unique_dim_consecutive"),
    *("repeat_interleave", "histc", "_assert_async"),
}
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index", "_unsafe_index_put"}
TRANSFERS = {"_to_copy", "copy_", "copy", "_copy_from"}
HERE = Path(__file__).parent
LIBRARY = Path(torch.__file__).parent


class HostReads(TorchDispatchMode):
    """Sees every operation in its block, those of autograd and of optimizers too, and does all as it would be done.

    Args:
        device: The device that must not wait.

    Attributes:
        found: The first operation by which one waits for the other, and where it was called; empty if there is none.
        count: Operations on the device.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found = ""
        self.count = 0
        self._type = device.type
        self._is_paused = False

    @contextmanager
    def paused(self) -> Iterator[None]:
        """See nothing inside the block."""
        self._is_paused = True
        try:
            yield
        finally:
            self._is_paused = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if self._is_paused:
            return func(*args, **kwargs)
        name = func.overloadpacket.__name__
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        wanted = kwargs.get("device")
        to_it = wanted is not None and torch.device(wanted).type == self._type
        if to_it or any(tensor.device.type == self._type for tensor in tensors):
            self.count += 1
            if not self.found and (what := self._why(name, args, tensors, wanted)):
                self.found = f"{what}{_caller()}"
        return func(*args, **kwargs)

    def _why(self, name: str, args: Any, tensors: list[Tensor], wanted: Any) -> str:
        if name in READING:
            return "a step reads a number from the device"
        if name in INDEXING and any(
            isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8) for index in tree_leaves(args[1])
        ):
            return "a step selects by a mask, whose number of entries the host has to know"
        kinds = {tensor.device.type for tensor in tensors}
        kinds |= set() if wanted is None else {torch.device(wanted).type}
        if name in TRANSFERS and len(kinds) > 1:
            return "a step copies between the host and the device"
        return ""


def _caller() -> str:
    """The innermost line that is neither torch's nor the training loop's, in brackets; empty without one."""
    frame = sys._getframe(2)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_file() and LIBRARY not in path.parents and HERE not in path.parents:
            return f" ({path.name}, line {frame.f_lineno})"
        if frame.f_back is None:
            break
        frame = frame.f_back
    return ""
