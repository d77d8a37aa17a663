"""The real samples that a monitor compares with: a bounded pool, in the form that the discriminator is given them.

They are read from the user's tensor, data set or loader; or, where reading would use up what the loop needs, collected
from what the loop gives its discriminator.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, SequentialSampler, TensorDataset, default_collate

from ..observation.wiring.data import describe_nonfinite
from .call_convention import CallConvention, Inferred, is_similar
from .calls import collect_tensors, count_rows
from .messages import format_error
from .tensor_buffer import MAX_ROWS, SampleBuffer, row_limit

COLLATE_ITEMS = 64  # items of a data set that are collated at a time
STD_ROWS = 256  # samples whose deviations are computed together
MAX_READ_SECONDS = 10.0  # for reading a source
MAX_LOOP_SAMPLES = 1024  # samples that are collected from the loop
MIN_LOOP_SAMPLES, MIN_SOURCE_SAMPLES = 128, 16  # samples without which nothing is measured
MAX_WHOLE_BYTES = 2**30  # of a tensor that is searched for values that are not finite
MIN_COMPARED_SAMPLES = 32  # of the loop that a source is compared with
SEED = 0  # of every random generator of a monitor


class UnreadableSource(Exception):
    """A source cannot be read, or not without taking samples from the loop."""


class RealSamples:
    """Real samples in two disjoint parts, one of which serves as held-out data.

    They are read from `source` once; if it cannot be read, or does not hold what D is given, they are collected from
    the loop, a few at a time. Without a `held_out` source the pool is halved: differences between the halves measure
    floors, but D trains on both, so that memorization cannot be measured.

    Args:
        source: A tensor, an array, a tuple or dict of tensors, a list of batches, a map-style data set, or a loader.
        held_out: The same, of data that the loop does not train on; or None.
        add_note: Called with a line about a source that is not used.

    Attributes:
        training: The part that serves as training data.
        held_out: The other part.
        nonfinite: A line for each source that holds values that are not finite.
    """

    def __init__(self, source: Any, held_out: Any, add_note: Callable[[str], None]) -> None:
        self.training, self.held_out = SampleBuffer(), SampleBuffer()
        self._sources = {"real": source, "held_out": held_out}
        self._add_note = add_note
        self.nonfinite: list[str] = []
        self._from_sources: dict[str, SampleBuffer] | None = None  # until they are read
        self._from_loop = SampleBuffer()
        self._std: float | None = None  # of the pool as it is now

    @property
    def loaded(self) -> bool:
        """Whether the sources have been read, or found unreadable; they are not read again."""
        return self._from_sources is not None

    @property
    def has_held_out(self) -> bool:
        """Whether the held-out part is data that the loop does not train on."""
        return bool(self._from_sources and "held_out" in self._from_sources)

    @property
    def needs_more(self) -> bool:
        """Whether more samples have to be collected from the loop."""
        if self._from_sources is None:
            return True
        limit = min(MAX_LOOP_SAMPLES, row_limit(self._from_loop.columns))
        return "real" not in self._from_sources and len(self._from_loop) < limit

    @property
    def sufficient(self) -> bool:
        """Whether there are enough samples to measure anything."""
        fewest = MIN_SOURCE_SAMPLES if self._from_sources and "real" in self._from_sources else MIN_LOOP_SAMPLES
        return min(len(self.training), len(self.held_out)) >= fewest // 2

    def add(self, inferred: Inferred) -> None:
        """Add the samples that captured calls show, as long as more are needed; read the sources the first time."""
        if not self.needs_more:
            return
        for columns in inferred.real_rows:
            self._from_loop.append(columns)
        if self._from_sources is None:
            self._from_sources = {}
            for name, source in self._sources.items():
                if source is not None:
                    self._read(name, source, inferred.convention, self._from_sources)
        if "real" in self._from_sources:
            self._from_loop = SampleBuffer()  # the source has been compared with them
        self._std = None
        pool = self._from_sources.get("real", self._from_loop)
        if "held_out" in self._from_sources:
            self.training, self.held_out = pool, self._from_sources["held_out"]
        else:
            self.training, self.held_out = pool.every_second(0), pool.every_second(1)

    def data_std(self) -> float:
        """Return the standard deviation of all values of the pool, computed once; 1 if they are all the same."""
        if self._std is None:
            parts = [part.columns[0] for part in (self.training, self.held_out) if len(part)]
            std = _std_of_values([chunk for part in parts for chunk in part.split(STD_ROWS)])
            self._std = std if std > 0 else 1.0
        return self._std

    def _read(self, name: str, source: Any, convention: CallConvention, into: dict[str, SampleBuffer]) -> None:
        """Read a source, or note why it is not used."""
        try:
            into[name] = SampleBuffer(self._read_as_given(name, source, convention))
        except UnreadableSource as why:
            instead = "real samples are taken from the discriminator's inputs" if name == "real" else "it is not used"
            self._add_note(f"`{name}`: {why}; {instead}")

    def _read_as_given(self, name: str, source: Any, convention: CallConvention) -> list[Tensor]:
        """Read samples, and D's conditions for them, in the form that the loop gives them to D."""
        call = convention.discriminator_call
        given = call.leaves[convention.argument]
        try:
            whole = [tensor for tensor in _whole_tensors(source) if tensor.nbytes <= MAX_WHOLE_BYTES]
            where = next(filter(None, map(describe_nonfinite, whole)), "")
            began = time.monotonic()
            columns = read_source(source, given[0].numel(), torch.Generator().manual_seed(SEED))
            took_too_long = time.monotonic() - began >= MAX_READ_SECONDS
        except UnreadableSource:
            raise
        except Exception as error:  # of the user's data set, read in a way that the loop may never use
            raise UnreadableSource(f"reading it raised {format_error(error)}") from error
        if len(columns[0]) < MIN_SOURCE_SAMPLES:
            n = len(columns[0])
            if took_too_long:
                raise UnreadableSource(f"only {n} of its samples could be read in {MAX_READ_SECONDS:g} seconds")
            raise UnreadableSource(
                f"it has {n} sample{'s' * (n != 1)}, and fewer than {MIN_SOURCE_SAMPLES} show little"
            )
        x = columns[0].reshape(-1, *convention.shape).float().to(given.device)
        if where := where or describe_nonfinite(x):
            self.nonfinite.append(f"`{name}`: {where}")
            raise UnreadableSource("some of its samples are not finite")
        if len(self._from_loop) >= MIN_COMPARED_SAMPLES and not is_similar(x, self._from_loop.columns[0]):
            seen = self._from_loop.columns[0]
            raise UnreadableSource(
                f"its samples (mean {float(x.mean()):.3g}, standard deviation {float(x.std()):.3g}) are not those that "
                f"the discriminator is given (mean {float(seen.mean()):.3g}, "
                f"standard deviation {float(seen.std()):.3g})"
            )
        conditions = [call.leaves[i] for i in convention.conditions]
        known = self._from_loop.columns[1:] if len(self._from_loop) else conditions
        return [x, *(_match_condition(columns[1:], *pair) for pair in zip(conditions, known, strict=True))]


def _std_of_values(chunks: Sequence[Tensor]) -> float:
    """Return the standard deviation of all values, without a copy of all of them."""
    n = sum(chunk.numel() for chunk in chunks)
    mean = float(torch.stack([chunk.sum(dtype=torch.float64) for chunk in chunks]).sum()) / n
    squares = torch.stack([torch.linalg.vector_norm(chunk - mean, dtype=torch.float64).square() for chunk in chunks])
    return math.sqrt(float(squares.sum()) / n)


def _match_condition(labels: list[Tensor], like: Tensor, known: Tensor) -> Tensor:
    """Return the labels that are one of D's conditions, as they are or one-hot.

    Args:
        labels: What the source holds besides the samples.
        like: The condition in a call of D.
        known: All its values that were seen.
    """
    for column in labels:
        flat = column.reshape(len(column), -1)
        if column[0].numel() == like[0].numel() and column.is_floating_point() == like.is_floating_point():
            condition = column.reshape(-1, *like.shape[1:])
        elif flat.shape[1] == 1 and not column.is_floating_point() and _is_one_hot(like):
            classes = max(like.shape[1], int(column.max()) + 1)
            condition = torch.nn.functional.one_hot(column.flatten().long().clamp_min(0), classes)
        else:
            continue
        if condition.shape[1:] == like.shape[1:] and (condition.is_floating_point() or _is_subset(known, condition)):
            return condition.to(like.device, like.dtype)
    raise UnreadableSource("it holds no labels that match the conditions that the discriminator is given")


def _is_one_hot(column: Tensor) -> bool:
    return column.ndim == 2 and bool(((column == 0) | (column == 1)).all()) and bool((column.sum(1) == 1).all())


def _is_subset(values: Tensor, of: Tensor) -> bool:
    """Return whether all of `values` occur in `of`: labels that the loop does not shift or rename."""
    return bool(torch.isin(values.detach().cpu().double().unique(), of.cpu().double().unique()).all())


# --- reading a source --------------------------------------------------------------------------------


def read_source(source: Any, size: int, rng: torch.Generator) -> list[Tensor]:
    """Read samples of `size` values each and whatever else has a row for each sample (labels).

    A data set is asked for items in random order; a loader's data set for those that the loader's sampler picks,
    through its `collate_fn`. The loader is not iterated: starting a new pass can end the one that the loop is in.

    Returns:
        Columns on the CPU, the samples first.

    Raises:
        UnreadableSource: The source has no such samples, or reading it would take them from the loop.
    """
    batches: list[list[Tensor]] = []
    rows, deadline = 0, time.monotonic() + MAX_READ_SECONDS
    for batch in _read_batches(source, rng, deadline):
        if not _is_empty(batch):
            batches.append(_split_columns(batch, size))
            rows += len(batches[-1][0])
        if (rows and rows >= row_limit(batches[-1])) or time.monotonic() > deadline:
            break
    if not rows:
        raise UnreadableSource("it is empty")
    limit = row_limit(batches[0])
    if isinstance(source, np.ndarray | Tensor | tuple | dict):  # one batch of rows that were picked: a copy
        return [column[:limit] for column in batches[0]]
    return [torch.cat(columns)[:limit] for columns in zip(*batches, strict=True)]


def _read_batches(source: Any, rng: torch.Generator, deadline: float) -> Iterator[Any]:
    if isinstance(source, np.ndarray):
        source = torch.from_numpy(source)
    if isinstance(source, Tensor | tuple | dict):
        yield _pick_rows(source, rng)
    elif isinstance(source, list):
        yield from source
    elif _is_map_style(source):
        yield from _collate_items(source, _shuffle_indices(source, rng), default_collate, deadline)
    elif _is_map_style(getattr(source, "dataset", None)):
        collate = getattr(source, "collate_fn", default_collate)
        yield from _collate_items(source.dataset, _sample_indices(source, rng), collate, deadline)
    else:
        raise UnreadableSource(f"a {type(source).__name__} cannot be read without taking samples from the loop")


def _is_empty(batch: Any) -> bool:
    """Return whether a batch holds tensors, but no rows."""
    tensors = collect_tensors(batch)
    return bool(tensors) and all(count_rows(tensor) == 0 for tensor in tensors)


def _split_columns(batch: Any, size: int) -> list[Tensor]:
    """Return the tensors of a batch that have a row for each sample, the samples first."""
    tensors = collect_tensors(batch)
    samples = next((t for t in tensors if count_rows(t) > 0 and t.ndim > 1 and t[0].numel() == size), None)
    if samples is None and size == 1:
        samples = next((t for t in tensors if t.ndim == 1 and t.is_floating_point()), None)
    if samples is None:
        shapes = ", ".join(str(tuple(t.shape)) for t in tensors) or type(batch).__name__
        raise UnreadableSource(f"a batch of it holds {shapes}, and the discriminator is given {size} values per sample")
    others = [t for t in tensors if t is not samples and count_rows(t) == len(samples)]
    return [column.detach().cpu() for column in (samples, *others)]


def _pick_rows(source: Any, rng: torch.Generator) -> list[Tensor]:
    """Pick random rows of tensors of one length."""
    tensors = collect_tensors(source)
    n = count_rows(tensors[0]) if tensors else 0
    if n < 1:
        raise UnreadableSource("it is empty")
    rows = torch.randperm(n, generator=rng, device=rng.device)[:MAX_ROWS]
    return [tensor[rows.to(tensor.device)] for tensor in tensors if count_rows(tensor) == n]


def _whole_tensors(source: Any) -> list[Tensor]:
    """Return the tensors that a source is made of, where it is not read item by item."""
    if isinstance(source, np.ndarray):
        source = torch.from_numpy(source)
    if isinstance(source, DataLoader):
        source = source.dataset
    if isinstance(source, TensorDataset):
        source = source.tensors
    return collect_tensors(source) if isinstance(source, Tensor | tuple | dict | list) else []


def _is_map_style(dataset: Any) -> bool:
    return hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__") and not isinstance(dataset, IterableDataset)


def _shuffle_indices(dataset: Any, rng: torch.Generator) -> list[int]:
    order = torch.randperm(len(dataset), generator=rng, device=rng.device)
    return [int(i) for i in order[:MAX_ROWS].tolist()]


def _sample_indices(loader: Any, rng: torch.Generator) -> list[Any]:
    """Let a loader's sampler pick items, if it is one of torch's own; others may count their passes."""
    if isinstance(loader, DataLoader):
        sampler = loader.sampler
        from_torch = type(sampler).__module__.startswith("torch.utils.data")
        if from_torch and type(sampler) is not SequentialSampler and isinstance(sampler, Sized):
            return list(islice(iter(sampler), MAX_ROWS))
    return _shuffle_indices(loader.dataset, rng)


def _collate_items(dataset: Any, indices: list[Any], collate: Callable[[Any], Any], deadline: float) -> Iterator[Any]:
    """Yield collated items; at the deadline those read so far make the last batch."""
    for start in range(0, len(indices), COLLATE_ITEMS):
        items = []
        for i in indices[start : start + COLLATE_ITEMS]:
            items.append(dataset[i])
            if time.monotonic() > deadline:
                break
        yield collate(items)
