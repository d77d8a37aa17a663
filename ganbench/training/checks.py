"""What samples and networks have to be like, each fault said by the name of its component."""

from __future__ import annotations

from typing import Any, NoReturn

import torch
from torch import Tensor

from ..contract.records import Batch, DataSpec, Trial
from .data import check_condition
from .view import RunView

RANGE_TOLERANCE = 0.01  # of the range that a spec states


def check_samples(batch: Any, trial: Trial, part: str) -> None:
    """Raise ValueError, which names the data set and its part, for samples that are not what its spec states."""
    try:
        check_batch(batch, trial.data)
    except ValueError as error:
        raise ValueError(f"data set {trial.components.dataset.name!r}: {part} part: {error}") from error


def check_batch(batch: Any, spec: DataSpec) -> None:
    """Raise ValueError unless samples, their labels, values and conditions are as the spec states them."""
    if not isinstance(batch, Batch):
        raise ValueError(f"it gives {type(batch).__name__}, not ganbench.Batch")
    if not isinstance(batch.x, Tensor) or tuple(batch.x.shape[1:]) != spec.shape:
        found = f"of shape {tuple(batch.x.shape[1:])}" if isinstance(batch.x, Tensor) else type(batch.x).__name__
        raise ValueError(f"its samples are {found}, and its spec states {spec.shape}")
    if not len(batch):
        raise ValueError("it holds no samples")
    labels = batch.labels
    if labels is None:
        if spec.classes:
            raise ValueError(f"its samples have no labels, and its spec states {spec.classes} classes")
    elif tuple(labels.shape) != (len(batch),):
        raise ValueError(f"its labels are {tuple(labels.shape)} for {len(batch)} samples")
    elif spec.classes and not 0 <= int(labels.min()) <= int(labels.max()) < spec.classes:
        raise ValueError(
            f"its labels run from {int(labels.min())} to {int(labels.max())}, and its spec states {spec.classes} "
            f"classes, from 0 to {spec.classes - 1}"
        )
    if spec.value_range is not None and batch.x.dtype != torch.uint8:
        least, most = spec.value_range
        low, high = float(batch.x.min()), float(batch.x.max())
        if max(least - low, high - most) > RANGE_TOLERANCE * (most - least):
            raise ValueError(
                f"its values lie in [{low:.4g}, {high:.4g}], and its spec states [{least:g}, {most:g}]; scale them"
            )
    check_condition(batch, spec)


def check_networks(view: RunView, trial: Trial) -> None:
    """Raise for networks of a wrong output shape, which broadcasting would hide, before anything is trained."""
    pack = view.round_to_pack(1)
    n = view.round_to_pack(max(8, 2 * pack))  # at least two packs: batch statistics need more than one
    packs = n // pack
    with view.at(0), torch.no_grad():
        fake = view.fake(n)
        real = view.real(n)
        g, d = (f"{kind} {getattr(trial.components, kind).name!r}" for kind in ("generator", "discriminator"))
        _check_output(g, fake.x, (n, *trial.data.shape), real.x.device)
        heads = [_check_heads(d, view, batch, packs) for batch in (real, fake)]
    if heads[0] != heads[1]:
        counts = f"{heads[0]} heads for real samples and {heads[1]} for generated ones"
        raise ValueError(f"{d} returns {counts}: its losses could not be compared")


def _check_heads(name: str, view: RunView, batch: Batch, n: int) -> int:
    """Return how many heads D has; raise for one that is not logits of `n` samples or packs."""
    try:
        heads = view.discriminator.outputs(batch).heads
    except TypeError as error:
        raise ValueError(str(error).replace("the discriminator", name, 1)) from error
    for i, head in enumerate(heads, start=1):
        as_head = f" as head {i} of {len(heads)}" if len(heads) > 1 else ""
        if len(head) != n:
            _refuse_output(name, as_head, head, f"({n},) or a map ({n}, ...)")
        _check_output(name, head, tuple(head.shape), batch.x.device, as_head)
    return len(heads)


def _check_output(name: str, output: Any, shape: tuple[int, ...], device: torch.device, as_head: str = "") -> None:
    if not isinstance(output, Tensor):
        raise ValueError(f"{name} returns {type(output).__name__}{as_head}, not a tensor")
    if output.is_inference():
        raise ValueError(
            f"{name} computes under torch.inference_mode(){as_head}: no gradient flows through what it returns; remove it"
        )
    if tuple(output.shape) != shape or output.dtype != torch.float32:
        _refuse_output(name, as_head, output, str(shape))
    if output.device != device:
        raise ValueError(f"{name} returns a tensor on {output.device}{as_head}, and it is trained on {device}")


def _refuse_output(name: str, as_head: str, output: Tensor, expected: str) -> NoReturn:
    got = f"{tuple(output.shape)} of {output.dtype}".replace("torch.", "")
    raise ValueError(f"{name} returns {got}{as_head}, and {expected} of float32 is expected")
