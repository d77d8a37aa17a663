"""Real samples out of what a user has: a tensor, a data set, a loader. Whatever could be used up is left alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, SequentialSampler, default_collate

from .calls import len_of, tensors_in
from .rows import MOST, rows_that_fit

BATCH = 64  # items that are collated at a time
SECONDS = 10.0  # of reading, at most


class Unreadable(Exception):
    """No samples can be had from a source without taking them from the loop, or at all."""


def read(source: Any, size: int, stream: torch.Generator) -> list[Tensor]:
    """Samples of `size` values each and, after them, whatever comes with a row for each (labels): columns on the CPU.

    A data set is asked for items in random order; a loader for those that its sampler picks, through its
    `collate_fn`, but it is not iterated: to start a new pass can end the one that the loop is in.
    Raises Unreadable.
    """
    read: list[list[Tensor]] = []
    rows, until = 0, time.monotonic() + SECONDS
    for batch in _batches(source, stream, until):
        if not _empty(batch):
            read.append(_columns(batch, size))
            rows += len(read[-1][0])
        if (rows and rows >= rows_that_fit(read[-1])) or time.monotonic() > until:
            break
    if not rows:
        raise Unreadable("it is empty")
    return [torch.cat(parts)[: rows_that_fit(read[0])] for parts in zip(*read, strict=True)]


def _batches(source: Any, stream: torch.Generator, until: float) -> Iterator[Any]:
    if isinstance(source, np.ndarray):
        source = torch.from_numpy(source)
    if isinstance(source, Tensor | tuple | dict):
        yield _picked(source, stream)
    elif isinstance(source, list):
        yield from source
    elif _indexed(source):
        yield from _collated(source, _shuffled(source, stream), default_collate, until)
    elif _indexed(getattr(source, "dataset", None)):
        collate = getattr(source, "collate_fn", default_collate)
        yield from _collated(source.dataset, _sampled(source, stream), collate, until)
    else:
        raise Unreadable(f"a {type(source).__name__} cannot be read without taking samples from the loop")


def _empty(batch: Any) -> bool:
    """Whether a batch has tensors, and none of them a row."""
    tensors = tensors_in(batch)
    return bool(tensors) and all(len_of(tensor) == 0 for tensor in tensors)


def _columns(batch: Any, size: int) -> list[Tensor]:
    """The tensors of a batch that have a row for each sample, the samples first."""
    tensors = tensors_in(batch)
    samples = next((t for t in tensors if len_of(t) > 0 and t.ndim > 1 and t[0].numel() == size), None)
    if samples is None and size == 1:
        samples = next((t for t in tensors if t.ndim == 1 and t.is_floating_point()), None)
    if samples is None:
        shapes = ", ".join(str(tuple(t.shape)) for t in tensors) or type(batch).__name__
        raise Unreadable(f"a batch of it holds {shapes}, and the discriminator is given {size} values a sample")
    rest = [t for t in tensors if t is not samples and len_of(t) == len(samples)]
    return [column.detach().cpu() for column in (samples, *rest)]


def _picked(source: Any, stream: torch.Generator) -> list[Tensor]:
    """Some rows of tensors of one length."""
    tensors = tensors_in(source)
    n = len_of(tensors[0]) if tensors else 0
    if n < 1:
        raise Unreadable("it is empty")
    rows = torch.randperm(n, generator=stream, device=stream.device)[:MOST]
    return [tensor[rows.to(tensor.device)] for tensor in tensors if len_of(tensor) == n]


def _indexed(dataset: Any) -> bool:
    return hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__") and not isinstance(dataset, IterableDataset)


def _shuffled(dataset: Any, stream: torch.Generator) -> list[int]:
    order = torch.randperm(len(dataset), generator=stream, device=stream.device)
    return [int(i) for i in order[:MOST].tolist()]


def _sampled(loader: Any, stream: torch.Generator) -> list[Any]:
    """What a sampler of torch's own picks; others may count their passes, so they are not asked."""
    sampler = getattr(loader, "sampler", None)
    ours = type(sampler).__module__.startswith("torch.utils.data") and type(sampler) is not SequentialSampler
    if ours and isinstance(loader, DataLoader) and hasattr(sampler, "__len__"):
        return list(islice(iter(sampler), MOST))  # type: ignore[arg-type]
    return _shuffled(loader.dataset, stream)


def _collated(dataset: Any, indices: list[Any], collate: Any, until: float) -> Iterator[Any]:
    """Batches of items; when time is up the items there are make the last one."""
    for start in range(0, len(indices), BATCH):
        items = []
        for i in indices[start : start + BATCH]:
            items.append(dataset[i])
            if time.monotonic() > until:
                break
        yield collate(items)
