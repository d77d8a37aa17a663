"""Hooks that a training loop does not notice: they change nothing, never raise, and hold no memory of the loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef


class Hook:
    """A hook that changes nothing, never raises, and is left behind when its module is copied or saved.

    Args:
        record: Called with the hook's arguments.
        on_error: Called with an exception that `record` raises.
    """

    __torch_unserializable__ = True  # a tensor with this hook is saved without it, and without a warning

    def __init__(self, record: Callable[..., None], on_error: Callable[[Exception], None]) -> None:
        self._record, self._on_error = record, on_error

    def __call__(self, *arguments: Any) -> None:
        if torch.compiler.is_compiling():
            return
        try:
            self._record(*arguments)
        except Exception as error:
            self._on_error(error)

    def __deepcopy__(self, memo: dict[int, Any]) -> Callable[..., None]:
        return do_nothing

    def __reduce__(self) -> tuple[Callable[[], Callable[..., None]], tuple[()]]:
        return _load_copy, ()


def do_nothing(*arguments: Any) -> None:
    """Stand in for a `Hook` in a copy of its module."""


def _load_copy() -> Callable[..., None]:
    return do_nothing


class TensorAddress:
    """Where a tensor lies in memory, without holding that memory: a loop with large samples may need it."""

    def __init__(self, tensor: Tensor) -> None:
        self._storage = StorageWeakRef(tensor.untyped_storage())
        self._start, self._numel = tensor.data_ptr(), tensor.numel()

    def matches(self, tensor: Tensor) -> bool:
        """Return whether `tensor` is the one that lay here; memory that was freed may be another tensor's by now."""
        same = tensor.data_ptr() == self._start and tensor.numel() == self._numel > 0
        return same and not self._storage.expired()
