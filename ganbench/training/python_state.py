"""What Python objects remember, seen from outside: what a step changes that is no content of a tensor on the device.

A step that is recorded as operations on the device does none of Python's part when it is done again. So whatever a
component counts, collects or rebinds in Python keeps it from being recorded (`capture.py`).
"""

from __future__ import annotations

import functools
import random
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from enum import Enum
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..contract.adapt import original

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_CONTAINERS = (list, tuple, dict, set, frozenset, deque)
_LIBRARIES = {"torch", "numpy", *sys.stdlib_module_names}  # whose classes and modules are not looked into
MAX_VALUES = 200_000  # that are looked at


class TooMuch(Exception):
    """Objects lead to so many others that they are not compared."""


class PythonState:
    """What objects remember now: attributes, containers, closures, class attributes and plain globals of their modules.

    A tensor on the device counts as the same as long as it is the same object, whatever it contains; of everything else
    the value counts.

    Args:
        objects: The objects, by what they are called.
        device: Whose tensors may change their contents.

    Attributes:
        tensors: Tensors on the device that were found.
        generators: Random number generators of torch on the device that were found.

    Raises:
        TooMuch: There is too much to look at.
    """

    def __init__(self, objects: Mapping[str, Any], device: torch.device) -> None:
        self.tensors: list[Tensor] = []
        self.generators: list[torch.Generator] = []
        self._device = device
        self._values: dict[str, Any] = {}
        self._seen: dict[tuple[int, bool], Any] = {}  # by id, and kept alive so that no other object gets the id
        waiting = [(name, original(value), False) for name, value in objects.items()]
        while waiting:
            path, value, plain_alone = waiting.pop()
            waiting += [(f"{path}{step}", inner, plain) for step, inner, plain in self._note(path, value, plain_alone)]
            if len(self._values) > MAX_VALUES:
                raise TooMuch(f"{path} leads to more than {MAX_VALUES} values")

    def first_change(self, later: PythonState) -> str | None:
        """Return what is another value in `later`, or is hidden from view, as `"loss.calls"`; None if nothing is."""
        hidden = (path for path, value in self._values.items() if value is _HIDDEN)
        changed = (
            path
            for path in [*self._values, *(path for path in later._values if path not in self._values)]
            if not _is_same(self._values.get(path, _MISSING), later._values.get(path, _MISSING))
        )
        return next(hidden, None) or next(changed, None)

    def _note(self, path: str, value: Any, plain_alone: bool) -> Iterator[tuple[str, Any, bool]]:
        """Note a value, and yield what it holds: where, what, and whether only plain values of it are looked at."""
        if type(value) in _PLAIN:
            self._values[path] = value
            return
        if (id(value), plain_alone) in self._seen:
            self._values[path] = _Object(value)
            return
        self._seen[id(value), plain_alone] = value
        if isinstance(value, Tensor | np.ndarray | np.generic | torch.Generator | np.random.Generator | random.Random):
            self._values[path] = self._leaf(value)
        elif isinstance(value, np.random.RandomState):
            self._values[path] = repr(value.get_state())
        elif isinstance(value, _CONTAINERS):
            self._values[path] = type(value), len(value)
            yield from ((step, inner, plain_alone) for step, inner in _items(value))
            yield from (
                () if plain_alone else ((f".{name}", v, False) for name, v in getattr(value, "__dict__", {}).items())
            )
        elif not plain_alone:
            self._values[path] = _Object(value)
            yield from self._inside(path, value)

    def _leaf(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            if value.device.type == self._device.type:
                self.tensors.append(value)
                return _Object(value)
            return value.detach().clone()
        if isinstance(value, torch.Generator):
            if value.device.type == self._device.type and self._device.type != "cpu":
                self.generators.append(value)
                return _Object(value)
            return value.get_state()
        if isinstance(value, np.ndarray | np.generic):
            return np.array(value)
        return repr(value.getstate() if isinstance(value, random.Random) else value.bit_generator.state)

    def _inside(self, path: str, value: Any) -> Iterator[tuple[str, Any, bool]]:
        """What an object that is neither plain nor a container holds."""
        if isinstance(value, functools.partial):
            yield from (
                (".func", value.func, False),
                (".args", value.args, False),
                (".keywords", value.keywords, False),
            )
        elif isinstance(value, MethodType):
            yield from ((".__self__", value.__self__, False), (".__func__", value.__func__, False))
        elif isinstance(value, FunctionType):
            yield from self._inside_function(value)
        elif isinstance(value, staticmethod | classmethod):
            yield ".__func__", value.__func__, False
        elif isinstance(value, property):
            yield ".fget", value.fget, False
        elif isinstance(value, type | ModuleType | Enum):
            return
        elif hasattr(type(value), "__next__"):  # an iterator: how far it is cannot be seen
            self._values[path] = _HIDDEN
        else:
            yield from ((f".{name}", inner, False) for name, inner in _attributes(value))
            yield from self._inside_class(type(value))

    def _inside_function(self, function: FunctionType) -> Iterator[tuple[str, Any, bool]]:
        if _is_library(function.__module__):
            return
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                yield f".{name}", cell.cell_contents, False
            except ValueError:  # it is empty
                continue
        yield ".__defaults__", function.__defaults__, False
        yield ".__kwdefaults__", function.__kwdefaults__, False
        yield ".__dict__", function.__dict__, False
        yield from self._globals_of(function.__module__)

    def _inside_class(self, of: type) -> Iterator[tuple[str, Any, bool]]:
        for cls in of.__mro__:
            if _is_library(cls.__module__) or (id(cls), False) in self._seen:
                continue
            self._seen[id(cls), False] = cls
            yield from (
                (f".{name}", value, False)
                for name, value in vars(cls).items()
                if not (name.startswith("__") and name.endswith("__") and name != "__call__")
            )
            yield from self._globals_of(cls.__module__)

    def _globals_of(self, module_name: str) -> Iterator[tuple[str, Any, bool]]:
        module = sys.modules.get(module_name)
        if module is None or (id(module), True) in self._seen:
            return
        self._seen[id(module), True] = module
        for name, value in vars(module).items():
            if not name.startswith("__"):
                yield f": {module_name}.{name}", value, True


class _Object:
    """An object that is the same as long as it is this one."""

    def __init__(self, value: Any) -> None:
        self.value = value


_HIDDEN, _MISSING = object(), object()


def _is_same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, _Object):
        return a.value is b.value
    if isinstance(a, Tensor):
        return a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return bool(a == b or (a != a and b != b))  # a value that is no number is the same as another such


def _items(container: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(container, Mapping):
        for key, value in container.items():
            yield f"[{key!r}]" if type(key) in _PLAIN else f"[{type(key).__name__} {id(key)}]", value
    elif isinstance(container, set | frozenset):
        plain = sorted(repr(value) if type(value) in _PLAIN else f"{type(value)} {id(value)}" for value in container)
        yield " as a set", "; ".join(plain)
    else:
        yield from ((f"[{i}]", value) for i, value in enumerate(container))


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """An object's attributes; not an optimizer's averages and options, which are looked after by themselves."""
    left_out = ("state", "param_groups") if isinstance(value, torch.optim.Optimizer) else ()
    yield from ((name, inner) for name, inner in getattr(value, "__dict__", {}).items() if name not in left_out)
    for cls in type(value).__mro__:
        slots = vars(cls).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            inner = getattr(value, name, _MISSING)
            if inner is not _MISSING and name not in ("__dict__", "__weakref__"):
                yield name, inner


def _is_library(module_name: str | None) -> bool:
    return (module_name or "torch").partition(".")[0] in _LIBRARIES
