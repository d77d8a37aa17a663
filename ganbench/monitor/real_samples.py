"""Real samples out of what a user has: a tensor, a data set, a loader. Whatever could be used up is left alone.

The real samples that a monitor judges by: a bounded pool, in the form in which the discriminator is given them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, SequentialSampler, default_collate

from .call_convention import CallConvention, Conventions, alike
from .calls import len_of, tensors_in
from .messages import format_error
from .schedule import MOST, Rows, rows_that_fit

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


ENOUGH = 1024  # samples met in the loop, from which on no more are looked for
FEWEST_MET, FEWEST_READ = 128, 16  # samples without which nothing can be said
TELLING = 32  # samples that tell whether a source is what D is given
SEED = 0


class RealSamples:
    """Read from `source` once; or, where that cannot be or is not what D is given, met in the loop, a few at a time.

    Without a `held_out` source the pool is halved: the two parts are disjoint and measure floors, but D trains on
    both, so that nothing that D has memorized can be seen.
    """

    def __init__(self, source: Any, held_out: Any, say: Callable[[str], None]) -> None:
        self._sources = {"real": source, "held_out": held_out}
        self._say = say
        self._read: dict[str, Rows] | None = None
        self._met = Rows()
        self.seen, self.held_out = Rows(), Rows()
        self._std: float | None = None  # of this pool

    @property
    def apart(self) -> bool:
        """Whether the held-out part is one that the loop does not train on."""
        return bool(self._read and "held_out" in self._read)

    @property
    def settled(self) -> bool:
        """Whether the sources have been read, or found to be unreadable: nobody asks them again."""
        return self._read is not None

    @property
    def wanting(self) -> bool:
        """Whether more samples have to be met in the loop."""
        fit = min(ENOUGH, rows_that_fit(self._met.columns))
        return self._read is None or ("real" not in self._read and len(self._met) < fit)

    @property
    def enough(self) -> bool:
        """Whether there are enough to say anything."""
        fewest = FEWEST_READ if self._read and "real" in self._read else FEWEST_MET
        return min(len(self.seen), len(self.held_out)) >= fewest // 2

    def meet(self, lesson: CallConvention) -> None:
        """Take in what a lesson shows, as long as it is wanted."""
        if not self.wanting:
            return
        for columns in lesson.real:
            self._met.add(columns)
        if self._read is None:
            self._read = {}
            for name, source in self._sources.items():
                self._open(name, source, lesson.conventions)
        if "real" in self._read:
            self._met = Rows()  # they have told whether the source is what D is given
        self._std = None
        reals = self._read.get("real", self._met)
        if self.apart:
            self.seen, self.held_out = reals, self._read["held_out"]
        else:
            self.seen, self.held_out = reals.every_other(0), reals.every_other(1)

    def data_std(self) -> float:
        """The standard deviation of all values of the pool; 1 where they are all the same. Once for each pool."""
        if self._std is None:
            values = torch.cat([part.columns[0].flatten() for part in (self.seen, self.held_out) if len(part)])
            std = float(values.std(correction=0))
            self._std = std if std > 0 else 1.0
        return self._std

    def _open(self, name: str, source: Any, conventions: Conventions) -> None:
        """Read a source, or say why its samples come from the loop instead."""
        assert self._read is not None
        if source is None:
            return
        try:
            self._read[name] = Rows(self._as_given(source, conventions))
        except Unreadable as why:
            instead = "real samples are those that the discriminator is given" if name == "real" else "it is not used"
            self._say(f"`{name}`: {why}; {instead}")

    def _as_given(self, source: Any, conventions: Conventions) -> list[Tensor]:
        """The samples, and D's conditions for them, as the loop hands them to D."""
        given = conventions.judged.leaves[conventions.slot]
        try:
            columns = read(source, given[0].numel(), torch.Generator().manual_seed(SEED))
        except Unreadable:
            raise
        except Exception as error:  # the user's data set, in a way that the loop may never use
            raise Unreadable(f"reading it raised {format_error(error)}") from error
        if len(columns[0]) < FEWEST_READ:
            raise Unreadable(f"{len(columns[0])} samples of it could be read in {SECONDS:g} seconds")
        x = columns[0].reshape(-1, *conventions.shape).float().to(given.device)
        if not torch.isfinite(x).all():
            raise Unreadable("some of its samples are not finite")
        if len(self._met) >= TELLING and not alike(x, self._met.columns[0]):
            met = self._met.columns[0]
            raise Unreadable(
                f"its samples (mean {float(x.mean()):.3g}, standard deviation {float(x.std()):.3g}) are not those that "
                f"the discriminator is given (mean {float(met.mean()):.3g}, standard deviation {float(met.std()):.3g})"
            )
        conditions = [conventions.judged.leaves[i] for i in conventions.conditions]
        seen = self._met.columns[1:] if len(self._met) else conditions
        return [x, *(_condition(columns[1:], like, kind) for like, kind in zip(conditions, seen, strict=True))]


def _condition(labels: list[Tensor], like: Tensor, seen: Tensor) -> Tensor:
    """One of D's conditions from the labels that came with samples: as they are, or one-hot. Raises Unreadable."""
    for column in labels:
        shaped = column.reshape(len(column), -1)
        if column[0].numel() == like[0].numel() and column.is_floating_point() == like.is_floating_point():
            made = column.reshape(-1, *like.shape[1:])
        elif shaped.shape[1] == 1 and not column.is_floating_point() and _one_hot(like):
            made = torch.nn.functional.one_hot(
                column.flatten().long().clamp_min(0), max(like.shape[1], int(column.max()) + 1)
            )
        else:
            continue
        if made.shape[1:] == like.shape[1:] and (made.is_floating_point() or _among(seen, made)):
            return made.to(like.device, like.dtype)
    raise Unreadable("the conditions that the discriminator is given are not among what comes with its samples")


def _one_hot(column: Tensor) -> bool:
    return column.ndim == 2 and bool(((column == 0) | (column == 1)).all()) and bool((column.sum(1) == 1).all())


def _among(some: Tensor, every: Tensor) -> bool:
    """Whether all values of `some` occur in `every`: labels that the loop does not shift or rename."""
    return bool(torch.isin(some.detach().cpu().double().unique(), every.cpu().double().unique()).all())
