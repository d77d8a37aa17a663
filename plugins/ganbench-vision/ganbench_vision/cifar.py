"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009)."""

from __future__ import annotations

import abc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import ganbench

from .archives import Archive, inspect_archive
from .files import data_root, missing, read_published, require
from .framing import Framing
from .image_npz import read_framed
from .images import Images

if TYPE_CHECKING:
    from torchvision import datasets

_SIDE = 32


class _Cifar(Images):
    """Batches in Python's pickle format, which torchvision reads only if their checksums are the published ones.

    Where they are not there, a part of them in one .npz, its training and held-out pictures apart.
    """

    name: str
    classes: int

    def __init__(
        self,
        *,
        root: str | None = None,
        download: bool = False,
        size: int | None = None,
        grey: bool = False,
        labels: bool = True,
        limit: int | None = None,
    ) -> None:
        framing = Framing(size, grey)
        published, place = self.published(), data_root(root, self.name)
        folder = place / published.base_folder
        files = tuple(folder / name for name in _md5(published))
        classes = self.classes if labels else 0
        archive = _find_part(self.name, self.classes, place) if missing(files) and not download else None
        if archive is not None:
            files = (archive.file,)
        else:
            fetch = (lambda: published(place, train=False, download=True)) if download else None
            require(self.name, files, fetch, f"unpack {published.filename} in {place}, so that they lie in {folder}")
        super().__init__(framing.shape(3, _SIDE), classes, limit, files, (place, framing, archive))

    @staticmethod
    @abc.abstractmethod
    def published() -> type[datasets.CIFAR10]:
        """Return torchvision's class, which knows the names, checksums and address of the files."""

    @classmethod
    def read(cls, training: bool, limit: int | None, *source: Any) -> ganbench.Batch:
        """Read images (N, channels, size, size) and labels, in the order of the files."""
        place, framing, archive = source
        if archive is not None:
            return read_framed(archive, training, limit, framing)
        published = cls.published()
        folder = place / published.base_folder
        part = read_published(cls.name, folder, _md5(published), lambda: published(place, train=training))
        images = torch.from_numpy(part.data).permute(0, 3, 1, 2)[:limit]
        return ganbench.Batch(framing.frame_all(images), torch.tensor(part.targets[:limit]))


class Cifar10(_Cifar):
    """CIFAR-10's photographs, colour 32x32, 10 classes: 50,000 to train on and 10,000 held out."""

    name = "cifar-10"
    classes = 10

    @staticmethod
    def published() -> type[datasets.CIFAR10]:
        from torchvision.datasets import CIFAR10

        return CIFAR10


class Cifar100(_Cifar):
    """CIFAR-100's photographs, colour 32x32, 100 (fine) classes: 50,000 to train on and 10,000 held out."""

    name = "cifar-100"
    classes = 100

    @staticmethod
    def published() -> type[datasets.CIFAR10]:
        from torchvision.datasets import CIFAR100

        return CIFAR100


def _find_part(name: str, classes: int, place: Path) -> Archive | None:
    """Return the .npz with a part of the data set, in a folder of its name (a dash more or less); None if there is none.

    Raises ValueError, which names the file, if there are several or it holds anything else.
    """
    folders = (place / name, place / name.replace("-", ""))
    found = sorted(file for folder in folders for file in folder.glob("*.npz"))
    if not found:
        return None
    if len(found) > 1:
        raise ValueError(f"{name}: of {', '.join(map(str, found))} one is to be read; keep one, or use image-npz")
    archive = inspect_archive(found[0])
    if archive.shape != (3, _SIDE, _SIDE) or not archive.is_split or not 0 < archive.classes <= classes:
        raise ValueError(
            f"{name}: {found[0]} holds no part of it, which has train_x and test_x of 3x{_SIDE}x{_SIDE} and train_y and "
            f"test_y of 0 to {classes - 1}; move it away, or use image-npz"
        )
    return archive


def _md5(published: type[datasets.CIFAR10]) -> dict[str, str]:
    """The checksum of each file."""
    parts = dict(published.train_list + published.test_list)
    return {**parts, published.meta["filename"]: published.meta["md5"]}
