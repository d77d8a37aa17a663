"""What wraps a network: data parallelism, Fabric, compilation."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

PARALLEL = (nn.DataParallel, nn.parallel.DistributedDataParallel)


def seen_at(module: nn.Module) -> nn.Module:
    """Where hooks see a call as the network gets it: inside of Fabric, which converts inputs, outside of a compiler."""
    while (inside := _fabric(module)) is not None:
        module = inside
    return module


def innermost(module: nn.Module) -> nn.Module:
    """The network itself: to call it asks no other process for anything, and compiles nothing."""
    while True:
        inside = _fabric(module) or _compiled(module) or (module.module if isinstance(module, PARALLEL) else None)
        if inside is None:
            return module
        module = inside


def _fabric(module: nn.Module) -> nn.Module | None:
    parts = dict(module.named_children())
    return parts["_forward_module"] if "_forward_module" in parts and hasattr(module, "_original_module") else None


def _compiled(module: nn.Module) -> nn.Module | None:
    return dict(module.named_children()).get("_orig_mod")


def uncompiled(*modules: nn.Module) -> Iterator[tuple[nn.Module, object]]:
    """Those parts that `module.compile()` was called on, with what it made of them."""
    for module in modules:
        for part in module.modules():
            if (made := getattr(part, "_compiled_call_impl", None)) is not None:
                yield part, made
