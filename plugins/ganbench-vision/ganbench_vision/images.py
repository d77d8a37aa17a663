"""What all data sets here share: two parts of uint8 images, each read once in a process."""

from __future__ import annotations

import abc
import functools
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TypeVar

import ganbench

T = TypeVar("T")


class Images(abc.ABC):
    """Images in bytes, 0 to 255 for the range of `spec`; labelled where `spec` states classes.

    `files` are watched: a part is read again once one of them changes. `source` is all that `read` needs to know,
    hashable. Raises ValueError for a limit below 1.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        classes: int,
        limit: int | None,
        files: tuple[Path, ...],
        source: tuple[Hashable, ...],
    ) -> None:
        if limit is not None and limit < 1:
            raise ValueError(f"limit = {limit}: give at least 1 image, or leave it out for all")
        self.spec = ganbench.DataSpec("images", shape, value_range=(-1.0, 1.0), classes=classes)
        self._limit, self._files, self._source = limit, files, source

    def training(self) -> ganbench.Batch:
        """(N, C, H, W) in uint8, the first `limit` of them where there is one."""
        return self._part(True, self._limit)

    def held_out(self) -> ganbench.Batch:
        """(M, C, H, W) in uint8: images that training never sees."""
        return self._part(False, None)

    @classmethod
    @abc.abstractmethod
    def read(cls, training: bool, limit: int | None, *source: Hashable) -> ganbench.Batch:
        """The training part, or the held-out one, at most the first `limit` images of it."""

    def _part(self, training: bool, limit: int | None) -> ganbench.Batch:
        batch = kept(self._files, self.read, training, limit, *self._source)
        return batch if self.spec.classes else ganbench.Batch(batch.x)


def kept(files: tuple[Path, ...], read: Callable[..., T], *inputs: Hashable) -> T:
    """`read(*inputs)`: what it returned before, as long as `files` are what they were."""
    states = tuple((stat.st_mtime_ns, stat.st_size) for stat in map(Path.stat, files))
    return _read(files, states, read, inputs)


# Two: the parts of the data set in use. A worker that goes on to the next one lets go of them.
@functools.lru_cache(maxsize=2)
def _read(files: tuple[Path, ...], states: Hashable, read: Callable[..., T], inputs: tuple[Hashable, ...]) -> T:
    return read(*inputs)
