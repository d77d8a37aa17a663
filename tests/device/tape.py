"""What a GPU does with a graph of operations, played by the CPU: operations are recorded and done again on the same tensors.

As on a GPU, Python has no part in a launch: numbers are those of the recording, tensors lie where they lay, and random
numbers are drawn anew from the generators. Unlike there, operations are also done while they are recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Tape:
    """Records as `capture.Recorder` asks.

    Attributes:
        recordings: How many were begun.
        launches: How many were launched.
    """

    def __init__(self) -> None:
        self.recordings = self.launches = 0
        self._mode: _Recording | None = None

    @contextmanager
    def aside(self) -> Iterator[None]:
        yield

    def begin(self, generators: Sequence[torch.Generator]) -> None:
        self.recordings += 1
        self._mode = _Recording()
        self._mode.__enter__()

    def end(self) -> Callable[[], None]:
        mode = self._close()
        assert mode is not None
        return lambda: self._launch(mode.operations)

    def cancel(self) -> None:
        self._close()

    def _close(self) -> _Recording | None:
        mode, self._mode = self._mode, None
        if mode is not None:
            mode.__exit__(None, None, None)
        return mode

    @torch.no_grad()
    def _launch(self, operations: list[tuple[Any, Any, Any, Any]]) -> None:
        self.launches += 1
        for func, args, kwargs, made in operations:
            anew = func(*args, **kwargs)
            for new, old in zip(tree_leaves(anew), tree_leaves(made), strict=True):
                if isinstance(old, Tensor) and new is not old and new.data_ptr() != old.data_ptr():
                    old.copy_(new)


class _Recording(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        kwargs = dict(kwargs or {})
        made = func(*args, **kwargs)
        self.operations.append((func, args, kwargs, made))
        return made
