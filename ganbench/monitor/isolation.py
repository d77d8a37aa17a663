"""A context to compute in without the loop noticing: random generators, modes and settings are restored on exit.

Besides the global random generators, those that networks, data sets and loaders hold in their attributes are found and
restored.
"""

from __future__ import annotations

import copy
import functools
import random
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from types import CellType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from ..training.seeding import preserve_rng_state
from .networks import compiled_calls

MAX_DEPTH = 6  # of objects within objects that are searched for random generators
MAX_ENTRIES = 256  # of a list or dict that are searched; the file names of a data set need not be
MAX_OBJECTS = 20_000  # that are searched in all

# Types of most of what a network holds, which are left aside first.
CANNOT_HOLD = (str, bytes, int, float, type(None), torch.Tensor, np.ndarray, type, ModuleType)
HOLDS_NOTHING = frozenset({*CANNOT_HOLD, bool, set, nn.Parameter})
DICTS = frozenset({dict, OrderedDict})

GetState = Callable[[Any], Any]
SetState = Callable[[Any, Any], Any]
RNG_TYPES: tuple[tuple[type, GetState, SetState], ...] = (
    (torch.Generator, lambda rng: rng.get_state(), lambda rng, state: rng.set_state(state)),
    (random.Random, lambda rng: rng.getstate(), lambda rng, state: rng.setstate(state)),
    (np.random.RandomState, lambda rng: rng.get_state(), lambda rng, state: rng.set_state(state)),
    (
        np.random.Generator,
        lambda rng: copy.deepcopy(rng.bit_generator.state),
        lambda rng, state: setattr(rng.bit_generator, "state", state),
    ),
)
RNG_CLASSES = tuple(rng_type for rng_type, _, _ in RNG_TYPES)


@contextmanager
def isolation(networks: Sequence[nn.Module], sources: Sequence[Any] = ()) -> Iterator[None]:
    """Compute with default settings and gradients enabled, without autocast, compiled calls and warnings.

    On exit the settings are restored, and so are the global random generators and those that `networks` and `sources`
    hold.

    Args:
        networks: The loop's networks.
        sources: The loop's data sets and loaders.
    """
    devices = {weight.device for network in networks for weight in network.parameters()} | {torch.device("cpu")}
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        for device in devices:
            stack.enter_context(preserve_rng_state(device))
            stack.enter_context(torch.autocast(device.type, enabled=False))
        stack.enter_context(preserve_held_rngs(*networks, *sources))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        torch.set_default_dtype(torch.float32)
        if mode := torch.get_deterministic_debug_mode():  # operations of an observation must not be refused
            stack.callback(torch.set_deterministic_debug_mode, mode)
            torch.set_deterministic_debug_mode(0)
        for part, call in list(compiled_calls(*networks)):
            stack.callback(setattr, part, "_compiled_call_impl", call)
            part._compiled_call_impl = None
        yield


@contextmanager
def preserve_held_rngs(*owners: Any) -> Iterator[None]:
    """Restore the state of every random generator that `owners` hold."""
    before = [(rng, set_state, get_state(rng)) for rng, get_state, set_state in _find_rngs(owners)]
    try:
        yield
    finally:
        for rng, set_state, state in before:
            set_state(rng, state)


def _find_rngs(owners: Iterable[Any]) -> Iterator[tuple[Any, GetState, SetState]]:
    """Search objects and what they hold for random generators."""
    visited: set[int] = set()
    waiting = [(owner, 0) for owner in owners if not _holds_nothing(owner)]
    while waiting and len(visited) < MAX_OBJECTS:
        value, depth = waiting.pop()
        if id(value) in visited:
            continue
        visited.add(id(value))
        if isinstance(value, RNG_CLASSES):
            yield next((value, get, put) for rng_type, get, put in RNG_TYPES if isinstance(value, rng_type))
        elif depth < MAX_DEPTH:
            waiting += [(held, depth + 1) for held in _held_by(value) if not _holds_nothing(held)]


def _holds_nothing(value: Any) -> bool:
    """Return whether no random generator can be in a value, as of most of what a network holds: numbers, empty dicts."""
    kind = type(value)
    return kind in HOLDS_NOTHING or (kind in DICTS and not value)


def _held_by(value: Any) -> list[Any]:
    """Return what an object holds, if a random generator could be among it."""
    if isinstance(value, dict):
        return list(islice(value.values(), MAX_ENTRIES))
    if isinstance(value, list | tuple):
        return list(value[:MAX_ENTRIES])
    if isinstance(value, CANNOT_HOLD):
        return []
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, MethodType):
        return [value.__self__, value.__func__]
    cells = [cell.cell_contents for cell in getattr(value, "__closure__", None) or () if _is_set(cell)]
    return [*cells, *islice(getattr(value, "__dict__", {}).values(), MAX_ENTRIES)]


def _is_set(cell: CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True
