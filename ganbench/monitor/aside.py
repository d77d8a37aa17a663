"""A place to compute in that the loop does not notice: its streams, modes and settings are as before."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from ..seeding import undisturbed
from . import streams
from .wrappers import uncompiled


@contextmanager
def aside(networks: Sequence[nn.Module], owners: Sequence[Any] = ()) -> Iterator[None]:
    """Standard settings and gradients on, without autocast, compilers and warnings.

    The global random streams, and those that `networks` and `owners` hold, go on as if nothing had been drawn.
    """
    devices = {weight.device for network in networks for weight in network.parameters()} | {torch.device("cpu")}
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        for device in devices:
            stack.enter_context(undisturbed(device))
            stack.enter_context(torch.autocast(device.type, enabled=False))
        stack.enter_context(streams.kept(*networks, *owners))
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
