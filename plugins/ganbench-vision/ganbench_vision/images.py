"""The base class of the image data sets: two parts of uint8 images, each read once per process."""

from __future__ import annotations

import abc
import functools
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TypeVar

import ganbench

T = TypeVar("T")


class Images(ganbench.Dataset, abc.ABC):
    """Images in uint8, where 0 to 255 span the range of `spec`; labelled if `spec` states classes.

    Args:
        shape: Shape of one image, (channels, height, width).
        classes: Number of classes; 0 for unlabelled images.
        limit: Train on the first so many images; None for all.
        files: The files behind the data set: a part is read again once one of them changes.
        source: All that `read` needs to know, hashable.

    Raises:
        ValueError: If `limit` is below 1.
    """

    large = True

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
        """Return images (N, C, H, W) in uint8, the first `limit` of them if there is one."""
        return self._part(True, self._limit)

    def held_out(self) -> ganbench.Batch:
        """Return images (M, C, H, W) in uint8 that training never sees."""
        return self._part(False, None)

    @classmethod
    @abc.abstractmethod
    def read(cls, training: bool, limit: int | None, *source: Hashable) -> ganbench.Batch:
        """Read the training part, or the held-out one: at most the first `limit` images of it."""

    def _part(self, training: bool, limit: int | None) -> ganbench.Batch:
        batch = read_cached(self._files, self.read, training, limit, *self._source)
        return batch if self.spec.classes else ganbench.Batch(batch.x)


def read_cached(files: tuple[Path, ...], read: Callable[..., T], *inputs: Hashable) -> T:
    """Return `read(*inputs)`, from the cache as long as `files` have not changed."""
    states = tuple((stat.st_mtime_ns, stat.st_size) for stat in map(Path.stat, files))
    return _read(files, states, read, inputs)


# Two: the parts of the data set in use. A worker that moves on to another data set frees them.
@functools.lru_cache(maxsize=2)
def _read(files: tuple[Path, ...], states: Hashable, read: Callable[..., T], inputs: tuple[Hashable, ...]) -> T:
    return read(*inputs)
