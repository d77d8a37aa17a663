"""A CUDA device that the CPU plays, for machines without a GPU: device mixtures raise, synchronizations are counted.

Inside `with fake_cuda() as gpu`, a tensor made with `device="cuda"` is a `FakeCudaTensor`: to Python it lies on
`cuda:0`, and its values are computed on the CPU by the CPU's kernels. So whole trials run, with the numbers of a CPU
trial, and whatever CUDA refuses is refused: an operation on tensors of two devices, a generator of the other device,
`numpy()` of a CUDA tensor. `gpu.syncs` names every operation that would have made the host wait for the device.

torch's own `FakeTensorMode` is not used: its backward pass needs a CUDA context in CUDA builds of torch, and its
tensors have no values, which observations and evaluations need. What this device cannot show: CUDA kernels and their
numbers, memory, speed, streams.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

CUDA = torch.device("cuda", 0)
INSIDE = torch.device("meta", 7)  # what torch's C++ code is told: autograd asks nothing of a meta device

# Operations that make the host wait when they are given a CUDA tensor.
SYNCHRONIZING = {
    *("_local_scalar_dense", "_linalg_check_errors", "bincount", "equal", "masked_select", "nonzero"),
    *("_unique2", "unique_consecutive", "unique_dim", "repeat_interleave"),
}
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index", "_unsafe_index_put"}
TRANSFERS = {"_to_copy", "copy_", "copy"}


@dataclass
class FakeGpu:
    """What happened on the fake device: each synchronization as "operation (file, line)"."""

    syncs: list[str] = field(default_factory=list)

    def count(self, operation: str) -> None:
        """Note a synchronization, with the innermost line outside of torch that caused it."""
        self.syncs.append(f"{operation} ({_caller()})")


@contextmanager
def fake_cuda() -> Iterator[FakeGpu]:
    """Let the CPU play `cuda` inside; nothing of it is left afterwards. Tensors of it are of use inside alone."""
    gpu = FakeGpu()
    with ExitStack() as stack:
        for owner, name, stand_in in (
            (torch, "Generator", FakeGenerator),
            (torch.cuda, "get_rng_state", lambda device="cuda": torch.get_rng_state()),
            (torch.cuda, "set_rng_state", lambda state, device="cuda": torch.set_rng_state(state)),
            (torch.cuda, "synchronize", lambda device=None: gpu.count("synchronize")),
        ):
            stack.enter_context(mock.patch.object(owner, name, stand_in))
        stack.enter_context(_Calls(gpu))
        stack.enter_context(_Operations(gpu))
        yield gpu


class FakeCudaTensor(Tensor):
    """A tensor on the fake device; `on_cpu` holds its values."""

    on_cpu: Tensor

    @staticmethod
    def __new__(cls, on_cpu: Tensor) -> FakeCudaTensor:
        made = Tensor._make_wrapper_subclass(
            cls,
            on_cpu.shape,
            strides=on_cpu.stride(),
            storage_offset=on_cpu.storage_offset(),
            dtype=on_cpu.dtype,
            device=INSIDE,
        )
        made.on_cpu = on_cpu
        return made

    device = property(lambda self: CUDA)
    is_cuda = property(lambda self: True)
    is_cpu = is_meta = property(lambda self: False)
    __torch_function__ = torch._C._disabled_torch_function_impl

    def __repr__(self, **_: Any) -> str:
        return f"{self.on_cpu!r} on a fake {CUDA}"

    @classmethod
    def __torch_dispatch__(cls, func: Any, *_: Any, **__: Any) -> Any:
        raise RuntimeError(f"{func}: a tensor of the fake device is used outside of `with fake_cuda()`")


class FakeGenerator(torch.Generator):
    """A random stream of the CPU that says it is on `device`."""

    def __new__(cls, device: torch.device | str = "cpu") -> FakeGenerator:
        return super().__new__(cls, "cpu")

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self._device = CUDA if _is_cuda(device) else torch.device("cpu")

    device = property(lambda self: self._device)


class _Calls(TorchFunctionMode):
    """Sees calls as they are written, and translates the devices in them before torch looks for a driver."""

    def __init__(self, gpu: FakeGpu) -> None:
        super().__init__()
        self._gpu = gpu

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        kwargs, name = dict(kwargs or {}), getattr(func, "__name__", "")
        on_gpu = bool(args) and isinstance(args[0], FakeCudaTensor)
        if on_gpu and name in ("numpy", "__array__"):
            raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")
        if on_gpu and name == "tolist":  # one copy, where item by item would be many
            self._gpu.count("tolist")
            return args[0].on_cpu.tolist()
        _check_generator(kwargs, on_gpu)
        if name in ("tensor", "as_tensor") and _is_cuda(kwargs.get("device", "cpu")):
            return func(*args, **{**kwargs, "device": "cpu"}).to(INSIDE)
        if name == "cuda":
            return args[0].to(INSIDE)
        if name in ("to", "new_tensor"):  # the calls that take a device among their arguments
            args = tuple(INSIDE if isinstance(arg, str | torch.device) and _is_cuda(arg) else arg for arg in args)
        if _is_cuda(kwargs.get("device", "cpu")):
            kwargs["device"] = INSIDE
        return func(*args, **kwargs)


class _Operations(TorchDispatchMode):
    """Sees every operation, of autograd and optimizers too; carries it out on the CPU where CUDA would take it."""

    def __init__(self, gpu: FakeGpu) -> None:
        super().__init__()
        self._gpu = gpu

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        kwargs = dict(kwargs or {})
        name = func.overloadpacket.__name__
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        here = [tensor for tensor in tensors if isinstance(tensor, FakeCudaTensor)]
        wanted = kwargs.get("device")
        on_gpu = bool(here) if wanted is None else wanted == INSIDE
        if wanted == INSIDE:
            kwargs["device"] = torch.device("cpu")
        if name in TRANSFERS:
            if (name == "_to_copy" and bool(here) == on_gpu) or (name != "_to_copy" and len(here) in (0, len(tensors))):
                pass
            elif not kwargs.get("non_blocking", False) and not (len(args) > 2 and args[2]):
                self._gpu.count(
                    "copy to the device"
                    if on_gpu and not isinstance(tensors[-1], FakeCudaTensor)
                    else "copy to the host"
                )
            on_gpu = on_gpu if name == "_to_copy" else isinstance(args[0], FakeCudaTensor)
        elif here:
            _check_devices(func, name, args, kwargs, tensors)
            if name in SYNCHRONIZING or (name in INDEXING and _has_mask(args[1])):
                self._gpu.count(name)
        made = func(*_on_cpu(args), **_on_cpu(kwargs))
        if not on_gpu:
            return made
        known = {id(tensor.on_cpu): tensor for tensor in here}  # an operation in place gives back what it was given
        return tree_map_only(Tensor, lambda t: known[id(t)] if id(t) in known else FakeCudaTensor(t), made)


def _on_cpu(tree: Any) -> Any:
    return tree_map_only(FakeCudaTensor, lambda tensor: tensor.on_cpu, tree)


def _is_cuda(device: Any) -> bool:
    return torch.device(device).type == "cuda" if isinstance(device, str | torch.device) else False


def _check_generator(kwargs: Mapping[str, Any], on_gpu: bool) -> None:
    """Raise RuntimeError, as torch does, for a generator of another device than what is drawn."""
    generator, device = kwargs.get("generator"), kwargs.get("device")
    if generator is None:
        return
    target = "cuda" if _is_cuda(device) or (device is None and on_gpu) else "cpu"
    if generator.device.type != target:
        raise RuntimeError(f"Expected a {target!r} device type for generator but found {generator.device.type!r}")


def _check_devices(func: Any, name: str, args: Any, kwargs: Any, tensors: list[Tensor]) -> None:
    """Raise RuntimeError for an operation on CUDA tensors with a CPU tensor that CUDA does not take beside them."""
    strangers = [tensor for tensor in tensors if not isinstance(tensor, FakeCudaTensor)]
    if not strangers:
        return
    scalars = all(tensor.dim() == 0 for tensor in strangers)
    if scalars and (torch.Tag.pointwise in func.tags or name.startswith("_foreach") or name in ("fill_", "where")):
        return
    if name in INDEXING and isinstance(args[0], FakeCudaTensor):
        indices = tree_leaves(args[1])
        if all(tensor.dim() == 0 or any(tensor is index for index in indices) for tensor in strangers):
            return
    raise RuntimeError(
        f"Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! ({func})"
    )


def _has_mask(indices: Any) -> bool:
    return any(isinstance(i, FakeCudaTensor) and i.dtype in (torch.bool, torch.uint8) for i in tree_leaves(indices))


def _caller() -> str:
    """The innermost line that is neither torch's nor of this file."""
    frame = sys._getframe(1)
    ours, torchs = Path(__file__), Path(torch.__file__).parent
    while frame.f_back is not None:
        path = Path(frame.f_code.co_filename)
        if path != ours and torchs not in path.parents:
            break
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}, line {frame.f_lineno}"
