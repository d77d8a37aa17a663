"""STL-10 (Coates, Lee and Ng 2011)."""

from __future__ import annotations

from typing import Any

import torch

import ganbench

from .files import data_root, read_published, require
from .framing import Framing
from .images import Images

_SIDE = 96


class Stl10(Images):
    """STL-10's photographs, colour, at 48x48: 100,000 unlabelled ones to train on, 8,000 test images held out.

    The unlabelled part at 48x48 is what GANs are trained on (Miyato et al. 2018, https://arxiv.org/abs/1802.05957).
    It shows more kinds of things than the ten classes of the test part.
    """

    def __init__(
        self,
        *,
        root: str | None = None,
        download: bool = False,
        size: int = 48,
        grey: bool = False,
        limit: int | None = None,
    ) -> None:
        from torchvision.datasets import STL10

        framing = Framing(size, grey)
        place = data_root(root, "stl-10")
        folder = place / STL10.base_folder
        files = tuple(folder / name for name, _ in STL10.train_list + STL10.test_list)
        fetch = (lambda: STL10(place, split="test", download=True)) if download else None
        require("stl-10", files, fetch, f"unpack {STL10.filename} in {place}, so that they lie in {folder}")
        super().__init__(framing.shape(3, _SIDE), 0, limit, files, (place, framing))

    @classmethod
    def read(cls, training: bool, limit: int | None, *source: Any) -> ganbench.Batch:
        """Read images (N, channels, size, size), in the order of the files."""
        from torchvision.datasets import STL10

        place, framing = source
        md5 = dict(STL10.train_list + STL10.test_list)
        split = "unlabeled" if training else "test"
        part = read_published("stl-10", place / STL10.base_folder, md5, lambda: STL10(place, split=split))
        return ganbench.Batch(framing.frame_all(torch.from_numpy(part.data[:limit])))
