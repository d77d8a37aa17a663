"""Pictures of your own in one file: NumPy's `.npz`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ganbench

from .archives import Archive, inspect_archive
from .files import VARIABLE, data_root
from .framing import Framing
from .images import Images


class ImageNpz(Images):
    """Your own pictures in an .npz: uint8 arrays train_x and test_x, or one array x of which a share is held out.

    `file` is absolute, or relative to the folder of data sets. Labels (train_y and test_y, or y) are optional. Of one
    array, whether a picture is held out depends on its content alone, so that adding pictures moves none of the others
    and copies of a picture are on one side. Raises FileNotFoundError if there is no such file; ValueError if it holds
    anything else, or if a part would be empty.
    """

    def __init__(
        self,
        *,
        file: str = "images.npz",
        root: str | None = None,
        size: int | None = None,
        grey: bool = False,
        labels: bool = True,
        held_out: float = 0.1,
        limit: int | None = None,
    ) -> None:
        if not 0 < held_out < 1:
            raise ValueError(f"held_out = {held_out}: give a share between 0 and 1")
        path = Path(file).expanduser()
        if not path.is_absolute():
            path = data_root(root, f"image-npz {file!r}") / path
        if not path.is_file():
            raise FileNotFoundError(
                f"image-npz: there is no file {path}; save pictures to it, or set file (absolute, or under root or {VARIABLE})"
            )
        archive = inspect_archive(path, with_labels=labels)
        channels, *sides = archive.shape
        framing = Framing(size, grey and channels == 3)
        super().__init__(
            framing.shape(channels, min(sides)), archive.classes, limit, (path,), (archive, held_out, framing)
        )

    @classmethod
    def read(cls, training: bool, limit: int | None, *source: Any) -> ganbench.Batch:
        """Read images (N, channels, size, size), in the order of the file, and labels if there are any."""
        archive, share, framing = source
        return read_framed(archive, training, limit, framing, share)


def read_framed(
    archive: Archive, training: bool, limit: int | None, framing: Framing, share: float = 0.0
) -> ganbench.Batch:
    """Read one part of an archive, at most the first `limit` pictures, cropped and resized; and its labels."""
    pictures, labels = archive.read(training, share)
    return ganbench.Batch(framing.frame_all(pictures[:limit]), None if labels is None else labels[:limit].clone())
