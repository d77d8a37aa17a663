"""Random streams that somebody holds: found in the objects that are looked through, and put back.

Hooks that change nothing: what the loop does with its modules and tensors, it does as without them.

A place to compute in that the loop does not notice: its streams, modes and settings are as before.
"""

from __future__ import annotations

import copy
import functools
import random
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from types import CellType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from ..training.seeding import preserve_rng_state
from .wrappers import uncompiled

DEEP = 6  # objects within objects
WIDE = 256  # entries of a list or dict; a data set's file names are no place for a stream
OBJECTS = 20_000

HOW: tuple[tuple[type, Callable[[Any], Any], Callable[[Any, Any], Any]], ...] = (
    (torch.Generator, lambda s: s.get_state(), lambda s, state: s.set_state(state)),
    (random.Random, lambda s: s.getstate(), lambda s, state: s.setstate(state)),
    (np.random.RandomState, lambda s: s.get_state(), lambda s, state: s.set_state(state)),
    (
        np.random.Generator,
        lambda s: copy.deepcopy(s.bit_generator.state),
        lambda s, state: setattr(s.bit_generator, "state", state),
    ),
)


@contextmanager
def kept(*owners: Any) -> Iterator[None]:
    """Whatever is drawn inside from a stream that one of `owners` holds, it goes on as if nothing had been."""
    before = [(stream, put, read(stream)) for stream, read, put in _streams(owners)]
    try:
        yield
    finally:
        for stream, put, state in before:
            put(stream, state)


def _streams(owners: Iterable[Any]) -> Iterator[tuple[Any, Callable[[Any], Any], Callable[[Any, Any], Any]]]:
    seen: set[int] = set()
    waiting = [(owner, 0) for owner in owners]
    while waiting and len(seen) < OBJECTS:
        thing, depth = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        known = next(((thing, read, put) for kind, read, put in HOW if isinstance(thing, kind)), None)
        if known is not None:
            yield known
        elif depth < DEEP:
            waiting += [(part, depth + 1) for part in _parts(thing)]


def _parts(thing: Any) -> list[Any]:
    """What an object holds, where a stream could be among it."""
    if isinstance(thing, str | bytes | int | float | torch.Tensor | np.ndarray | type | ModuleType):
        return []
    if isinstance(thing, dict):
        return list(islice(thing.values(), WIDE))
    if isinstance(thing, list | tuple):
        return list(thing[:WIDE])
    if isinstance(thing, functools.partial):
        return [thing.func, *thing.args, *thing.keywords.values()]
    if isinstance(thing, MethodType):
        return [thing.__self__, thing.__func__]
    cells = [cell.cell_contents for cell in getattr(thing, "__closure__", None) or () if _filled(cell)]
    return [*cells, *islice(getattr(thing, "__dict__", {}).values(), WIDE)]


def _filled(cell: CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


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


@contextmanager
def isolated(networks: Sequence[nn.Module], owners: Sequence[Any] = ()) -> Iterator[None]:
    """Standard settings and gradients on, without autocast, compilers and warnings.

    The global random streams, and those that `networks` and `owners` hold, go on as if nothing had been drawn.
    """
    devices = {weight.device for network in networks for weight in network.parameters()} | {torch.device("cpu")}
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        for device in devices:
            stack.enter_context(preserve_rng_state(device))
            stack.enter_context(torch.autocast(device.type, enabled=False))
        stack.enter_context(kept(*networks, *owners))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        torch.set_default_dtype(torch.float32)
        if mode := torch.get_deterministic_debug_mode():  # what is done here must not be refused
            stack.callback(torch.set_deterministic_debug_mode, mode)
            torch.set_deterministic_debug_mode(0)
        for part, call in list(uncompiled(*networks)):
            stack.callback(setattr, part, "_compiled_call_impl", call)
            part._compiled_call_impl = None
        yield
