"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009)."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any

import torch

import ganbench

from .files import data_root, read_published, require
from .framing import Framing
from .images import Images

if TYPE_CHECKING:
    from torchvision import datasets

_SIDE = 32


class _Cifar(Images):
    """Batches in Python's pickle format, which torchvision reads only if their checksums are the published ones."""

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
        fetch = (lambda: published(place, train=False, download=True)) if download else None
        require(self.name, files, fetch, f"unpack {published.filename} in {place}, so that they lie in {folder}")
        classes = self.classes if labels else 0
        super().__init__(framing.shape(3, _SIDE), classes, limit, files, (place, framing))

    @staticmethod
    @abc.abstractmethod
    def published() -> type[datasets.CIFAR10]:
        """Return torchvision's class, which knows the names, checksums and address of the files."""

    @classmethod
    def read(cls, training: bool, limit: int | None, *source: Any) -> ganbench.Batch:
        """Read images (N, channels, size, size) and labels, in the order of the files."""
        place, framing = source
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


def _md5(published: type[datasets.CIFAR10]) -> dict[str, str]:
    """The checksum of each file."""
    parts = dict(published.train_list + published.test_list)
    return {**parts, published.meta["filename"]: published.meta["md5"]}
