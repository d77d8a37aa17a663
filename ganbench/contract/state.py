"""What a component remembers from one step to the next, so that a trial can go on from a checkpoint bit for bit.

A component with state may offer `state_dict()` and `load_state_dict(state)`, as torch's modules and optimizers do. Of one
that does not, the attributes that are plain values, tensors, arrays, random generators or containers of these are taken;
so are the attributes of objects that it holds. What is of any other type is as it was built.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from .adapt import original

if TYPE_CHECKING:
    from torch import nn

_PLAIN = (bool, int, float, str, bytes, type(None))
_LIBRARIES = {"builtins", "functools", "numpy", "threading", "torch", "weakref"}  # whose objects are not looked into
_CONTAINERS = (list, tuple, dict, set, deque)


@dataclass(frozen=True)
class GeneratorState:
    """The state of a random number generator that a component owns.

    Attributes:
        kind: The generator: `"torch"`, `"numpy"`, `"numpy legacy"` or `"python"`.
        state: What its library calls its state.
        device: Where a generator of torch draws.
    """

    kind: str
    state: Any
    device: str = ""


def state_of(component: Any, *, parts: bool = True, seen: set[int] | None = None) -> dict[str, Any]:
    """Return what a component remembers, as a tree of tensors, generators' states and plain values.

    Nothing in it is copied that a component's own `state_dict` does not copy.

    Args:
        component: Any component, adapted or not, or a network.
        parts: Whether modules, optimizers and other objects that are its attributes belong to it.
        seen: Objects that have been asked already, by `id`: objects may refer to each other.
    """
    from torch import nn

    component = original(component)
    if isinstance(component, nn.Module):
        return _state_of_module(component)
    if _has_state_dict(component):
        return {"own": component.state_dict()}
    attributes = getattr(component, "__dict__", {})
    state: dict[str, Any] = {"attributes": _plain_attributes(attributes)}
    if parts:
        seen = (set() if seen is None else seen) | {id(component)}
        state["parts"] = {}
        for name, part in attributes.items():
            if id(part) not in seen and (_has_state_dict(part) or _is_object(part)):
                seen.add(id(part))
                state["parts"][name] = state_of(part, seen=seen)
    return state


def load_state(component: Any, state: Mapping[str, Any]) -> None:
    """Bring a component, built as the one that `state_of` was asked about, to the state of that one."""
    from torch import nn

    component = original(component)
    if isinstance(component, nn.Module):
        _load_module(component, state)
    elif "own" in state:
        component.load_state_dict(state["own"])
    else:
        _set_attributes(component, state["attributes"])
        for name, part in state.get("parts", {}).items():
            present = vars(component).get(name)
            if not (_has_state_dict(present) or _is_object(present)):
                raise ValueError(
                    f"{type(component).__name__}.{name} was made after it was built: offer state_dict for it"
                )
            load_state(present, part)


def _state_of_module(module: nn.Module) -> dict[str, Any]:
    """Weights and buffers, those too that `state_dict` leaves out, and the attributes of every submodule."""
    from torch import nn

    weights = module.state_dict()
    usual = vars(nn.Module()).keys() - {"training"}
    attributes = {
        path: _plain_attributes({name: value for name, value in vars(part).items() if name not in usual})
        for path, part in module.named_modules()
    }
    more = {name: buffer.detach() for name, buffer in module.named_buffers() if name not in weights}
    return {"weights": weights, "buffers": more, "attributes": attributes}


def _load_module(module: nn.Module, state: Mapping[str, Any]) -> None:
    import torch

    module.load_state_dict(state["weights"])
    buffers = dict(module.named_buffers())
    with torch.no_grad():
        for name, value in state["buffers"].items():
            buffers[name].copy_(value)
    parts = dict(module.named_modules())
    for path, attributes in state["attributes"].items():
        _set_attributes(parts[path], attributes)


def _is_object(value: Any) -> bool:
    """Whether a value is an object of somebody's own class, which may remember something in its attributes."""
    if isinstance(value, type | ModuleType | FunctionType | MethodType | Enum) or not hasattr(value, "__dict__"):
        return False
    return type(value).__module__.partition(".")[0] not in _LIBRARIES


def _has_state_dict(value: Any) -> bool:
    return not isinstance(value, type) and hasattr(value, "state_dict") and hasattr(value, "load_state_dict")


# --- attributes --------------------------------------------------------------------------------------


class _NotPlain(Exception):
    """A value is not made of plain values alone."""


def _plain_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that are plain, with tensors detached and generators as their states."""
    state = {}
    for name, value in attributes.items():
        try:
            state[name] = _plain(value)
        except (_NotPlain, RecursionError):
            continue
    return state


def _plain(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    if type(value) in _CONTAINERS:
        if type(value) is dict:
            return {_plain(key): _plain(item) for key, item in value.items()}
        items = [_plain(item) for item in value]
        return deque(items, value.maxlen) if type(value) is deque else type(value)(items)
    return _plain_array(value)


def _plain_array(value: Any) -> Any:
    import numpy as np
    import torch
    from torch import nn

    if isinstance(value, torch.Tensor) and not isinstance(value, nn.Parameter):
        return value.detach()
    if isinstance(value, np.ndarray | np.generic) and value.dtype != object:
        return value
    if isinstance(value, torch.Generator):
        return GeneratorState("torch", value.get_state(), str(value.device))
    if isinstance(value, np.random.Generator):
        return GeneratorState("numpy", value.bit_generator.state)
    if isinstance(value, np.random.RandomState):
        return GeneratorState("numpy legacy", value.get_state())
    if isinstance(value, random.Random):
        return GeneratorState("python", value.getstate())
    raise _NotPlain


def _set_attributes(owner: Any, attributes: Mapping[str, Any]) -> None:
    """Set plain attributes; tensors and generators in place where they are there, since others may refer to them."""
    import torch

    own = vars(owner) if attributes else {}  # written as it was read: past setters, and into frozen records
    for name, value in attributes.items():
        present = own.get(name)
        if isinstance(value, GeneratorState) and present is not None:
            _set_generator(present, value)
        elif isinstance(value, torch.Tensor):
            own[name] = _in_place(present, value)
        else:
            own[name] = _restored(value)


def _in_place(present: Any, value: Any) -> Any:
    import torch

    if (
        isinstance(present, torch.Tensor)
        and present.grad_fn is None
        and (present.shape, present.dtype, present.device) == (value.shape, value.dtype, value.device)
    ):
        with torch.no_grad():
            return present.copy_(value)
    return value.clone()


def _restored(value: Any) -> Any:
    """A value of its own, with generators made anew."""
    import numpy as np
    import torch

    if isinstance(value, GeneratorState):
        generator = _new_generator(value)
        _set_generator(generator, value)
        return generator
    if type(value) is dict:
        return {key: _restored(item) for key, item in value.items()}
    if type(value) in _CONTAINERS:
        items = [_restored(item) for item in value]
        return deque(items, value.maxlen) if type(value) is deque else type(value)(items)
    if isinstance(value, torch.Tensor):
        return value.clone()
    return value.copy() if isinstance(value, np.ndarray) else value


def _new_generator(saved: GeneratorState) -> Any:
    import numpy as np
    import torch

    if saved.kind == "torch":
        return torch.Generator(saved.device)
    if saved.kind == "numpy":
        return np.random.Generator(getattr(np.random, saved.state["bit_generator"])())
    return np.random.RandomState() if saved.kind == "numpy legacy" else random.Random()


def _set_generator(generator: Any, saved: GeneratorState) -> None:
    if saved.kind == "numpy":
        generator.bit_generator.state = saved.state
    elif saved.kind == "python":
        generator.setstate(saved.state)
    else:
        generator.set_state(saved.state)
