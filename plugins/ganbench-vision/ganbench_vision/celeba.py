"""CelebA, aligned and cropped (Liu, Luo, Wang and Tang 2015)."""

from __future__ import annotations

from typing import Any

import ganbench

from .files import data_root, read_published, require
from .framing import Framing
from .images import Images
from .pictures import read_pictures

_PICTURES = "img_align_celeba"


class CelebA(Images):
    """CelebA's aligned faces, colour, their centred 178x178 square at 64x64: 162,770 to train on, 19,962 held out.

    The official training and test partitions; the validation partition is not used. Unlabelled.
    """

    def __init__(
        self,
        *,
        root: str | None = None,
        download: bool = False,
        size: int = 64,
        grey: bool = False,
        limit: int | None = None,
    ) -> None:
        from torchvision.datasets import CelebA as Published

        framing = Framing(size, grey)
        place = data_root(root, "celeba")
        folder = place / Published.base_folder
        lists = tuple(folder / name for name in _md5())
        fetch = (lambda: Published(place, split="test", download=True)) if download else None
        advice = f"put them into {folder}, the pictures of {_PICTURES}.zip unpacked"
        require("celeba", (*lists, folder / _PICTURES), fetch, advice)
        super().__init__(framing.shape(3, size), 0, limit, lists, (place, framing))

    @classmethod
    def read(cls, training: bool, limit: int | None, *source: Any) -> ganbench.Batch:
        """Read images (N, channels, size, size), in the order of their names."""
        from torchvision.datasets import CelebA as Published

        place, framing = source
        folder = place / Published.base_folder
        split = "train" if training else "test"
        part = read_published("celeba", folder, _md5(), lambda: Published(place, split=split))
        files = [folder / _PICTURES / name for name in part.filename[:limit]]
        return ganbench.Batch(read_pictures(files, framing))


def _md5() -> dict[str, str]:
    """Return the checksum of each list that torchvision reads; that of the archive of pictures is not checked."""
    from torchvision.datasets import CelebA as Published

    return {name: md5 for _, md5, name in Published.file_list if not name.endswith(".zip")}
