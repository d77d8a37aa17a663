"""Random streams that somebody holds: found in the objects that are looked through, and put back."""

from __future__ import annotations

import copy
import functools
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from types import CellType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch

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
