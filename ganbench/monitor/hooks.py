"""Hooks that change nothing: what the loop does with its modules and tensors, it does as without them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class Hook:
    """A hook that changes nothing, raises nothing, and stays behind where its module is copied or stored."""

    __torch_unserializable__ = True  # a tensor with this hook is stored without it, and without a warning

    def __init__(self, see: Callable[..., None], fail: Callable[[Exception], None]) -> None:
        self._see, self._fail = see, fail

    def __call__(self, *shown: Any) -> None:
        if torch.compiler.is_compiling():
            return
        try:
            self._see(*shown)
        except Exception as error:
            self._fail(error)

    def __deepcopy__(self, memo: dict[int, Any]) -> Callable[..., None]:
        return silent

    def __reduce__(self) -> tuple[Callable[[], Callable[..., None]], tuple[()]]:
        return _silence, ()


def silent(*shown: Any) -> None:
    """What is left of a hook in a copy of its module."""


def _silence() -> Callable[..., None]:
    return silent
