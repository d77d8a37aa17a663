"""A tree of tensors and plain values as what JSON and safetensors can hold, and back: the same bits, and no code."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..contract.state import GeneratorState

_TAG = "$"  # of an object that stands for something else than a dictionary
_SEQUENCES: dict[str, Any] = {"tuple": tuple, "set": set, "deque": deque}


def encode(tree: Any) -> tuple[Any, dict[str, Tensor]]:
    """Return a tree as JSON can hold it, and its tensors by name, on the CPU. Raise ValueError for what has no such form."""
    encoder = _Encoder()
    return encoder.encode(tree, ""), encoder.tensors


class _Encoder:
    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._names: dict[Any, str] = {}

    def encode(self, value: Any, place: str) -> Any:
        if value is None or isinstance(value, bool | str) or type(value) is int:
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {_TAG: "float", "value": repr(value)}
        if isinstance(value, Tensor):
            return self._tensor(value)
        if isinstance(value, np.ndarray | np.generic):
            return self._array(value, place)
        if isinstance(value, Mapping):
            return self._mapping(value, place)
        if isinstance(value, list):
            return [self.encode(item, f"{place}[{i}]") for i, item in enumerate(value)]
        for name, kind in _SEQUENCES.items():
            if isinstance(value, kind):
                more = {"maxlen": value.maxlen} if isinstance(value, deque) else {}
                return {_TAG: name, "items": self.encode(list(value), place), **more}
        if isinstance(value, GeneratorState):
            state = self.encode(value.state, place)
            return {_TAG: "generator", "kind": value.kind, "state": state, "device": value.device}
        if isinstance(value, bytes):
            return {_TAG: "bytes", "hex": value.hex()}
        raise ValueError(f"{place.strip('.') or 'the state'} is {type(value).__name__}, which cannot be saved")

    def _mapping(self, value: Mapping[Any, Any], place: str) -> Any:
        if all(type(key) is str for key in value) and _TAG not in value:
            return {key: self.encode(item, f"{place}.{key}") for key, item in value.items()}
        items = [[self.encode(key, place), self.encode(item, f"{place}.{key}")] for key, item in value.items()]
        return {_TAG: "dict", "items": items}

    def _tensor(self, tensor: Tensor) -> Any:
        tensor = tensor.detach()
        place = tensor.data_ptr()  # 0 where a tensor has no memory of its own: then nothing is known of its equals
        key = (place, tensor.dtype, tensor.shape, tensor.stride(), tensor.device) if place else None
        name = self._names.get(key) if key else None
        if name is None:
            name = str(len(self.tensors))
            plain = tensor.cpu().contiguous()
            if plain.untyped_storage().nbytes() != plain.numel() * plain.element_size() or plain.is_conj():
                plain = plain.clone()
            self.tensors[name] = plain
            if key:
                self._names[key] = name
        stride = {} if tensor.is_contiguous() or not _is_dense(tensor) else {"stride": list(tensor.stride())}
        there = {} if tensor.device.type == "cpu" else {"there": True}
        return {_TAG: "tensor", "name": name, **stride, **there}

    def _array(self, value: Any, place: str) -> Any:
        if value.dtype.hasobject:
            raise ValueError(f"{place.strip('.')} is an array of Python objects, which cannot be saved")
        name = str(len(self.tensors))
        self.tensors[name] = torch.from_numpy(np.frombuffer(value.tobytes(), np.uint8).copy())
        scalar = {"scalar": True} if isinstance(value, np.generic) else {}
        return {_TAG: "array", "name": name, "dtype": value.dtype.str, "shape": list(value.shape), **scalar}


def decode(value: Any, tensors: Mapping[str, Tensor], device: torch.device) -> Any:
    """Return the tree that `encode` was given; each tensor has its own memory, and those of a device go to `device`."""
    if isinstance(value, list):
        return [decode(item, tensors, device) for item in value]
    if not isinstance(value, dict):
        return value
    tag = value.get(_TAG)
    if tag is None:
        return {key: decode(item, tensors, device) for key, item in value.items()}
    if tag == "float":
        return float(value["value"])
    if tag == "tensor":
        stored = tensors[value["name"]]
        where = device if value.get("there") else torch.device("cpu")
        # Memory of its own, aligned as torch aligns it: a file's is not, and kernels may differ in the last bits.
        target = torch.empty(stored.shape, dtype=stored.dtype, device=where)
        if "stride" in value:
            target = torch.empty_strided(stored.shape, value["stride"], dtype=stored.dtype, device=where)
        return target.copy_(stored)
    if tag == "array":
        array = np.frombuffer(tensors[value["name"]].numpy().tobytes(), np.dtype(value["dtype"]))
        array = array.reshape(value["shape"]).copy()
        return array[()] if value.get("scalar") else array
    if tag == "bytes":
        return bytes.fromhex(value["hex"])
    if tag == "generator":
        return GeneratorState(value["kind"], decode(value["state"], tensors, device), value["device"])
    items = decode(value["items"], tensors, device)
    if tag == "dict":
        return dict(items)
    return deque(items, value["maxlen"]) if tag == "deque" else _SEQUENCES[tag](items)


def _is_dense(tensor: Tensor) -> bool:
    """Whether the elements fill their memory without gaps, in whatever order."""
    expected = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1 and stride != expected:
            return False
        expected *= size
    return True
