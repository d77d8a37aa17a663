"""Your own pictures: any folder of picture files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import ganbench

from .files import VARIABLE, data_root
from .framing import Framing
from .images import Images
from .pictures import read_pictures


class ImageFolder(Images):
    """Your own pictures: a folder of JPEG, PNG, WebP, TIFF, BMP, PGM and PPM files, classes from its subfolders.

    `folder` is absolute, or relative to the folder of data sets. Whether a picture is held out depends on its name
    alone, so that adding pictures moves none of the others between the parts. Raises FileNotFoundError if there are no
    pictures; ValueError if a part would have none, or if pictures lie beside class folders.
    """

    def __init__(
        self,
        *,
        folder: str = "image-folder",
        root: str | None = None,
        size: int = 64,
        grey: bool = False,
        labels: bool = True,
        held_out: float = 0.1,
        limit: int | None = None,
    ) -> None:
        framing = Framing(size, grey)
        if not 0 < held_out < 1:
            raise ValueError(f"held_out = {held_out}: give a share between 0 and 1")
        place = Path(folder).expanduser()
        if not place.is_absolute():
            place = data_root(root, f"image-folder {folder!r}") / place
        names = _names(place)
        classes = _classes(place, names) if labels else ()
        seen, unseen = _split(place, names, held_out)
        files = tuple(place / name for name in names)
        super().__init__(framing.shape(3, size), len(classes), limit, files, (place, seen, unseen, classes, framing))

    @classmethod
    def read(cls, training: bool, limit: int | None, *source: Any) -> ganbench.Batch:
        """Read images (N, channels, size, size) in an order that depends on their names alone, and labels if classed."""
        place, seen, unseen, classes, framing = source
        names = (seen if training else unseen)[:limit]
        images = read_pictures([place / name for name in names], framing)
        if not classes:
            return ganbench.Batch(images)
        return ganbench.Batch(images, torch.tensor([classes.index(_class(name)) for name in names]))


def _names(place: Path) -> list[str]:
    """Return the pictures in a folder and its subfolders, as sorted relative paths, without hidden files.

    Raises FileNotFoundError if there are none.
    """
    from torchvision.datasets.folder import IMG_EXTENSIONS

    if not place.is_dir():
        raise FileNotFoundError(
            f"image-folder: there is no folder {place}; make it and put pictures there, or set folder "
            f"(absolute, or under root or {VARIABLE})"
        )
    names = []
    for where, _, found in os.walk(place, followlinks=True):
        relative = Path(where).relative_to(place)
        names += [
            (relative / name).as_posix()
            for name in found
            if name.lower().endswith(IMG_EXTENSIONS) and not name.startswith(".")
        ]
    if not names:
        raise FileNotFoundError(
            f"image-folder: no picture in {place}; put files there ending in {', '.join(IMG_EXTENSIONS)}"
        )
    return sorted(names)


def _class(name: str) -> str:
    """Return the top-level subfolder of a picture; an empty text for one in the folder itself."""
    return name.rpartition("/")[0].partition("/")[0]


def _classes(place: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Return the class folders, sorted; none if there are fewer than two.

    Raises ValueError if some pictures lie in class folders and some do not.
    """
    classes = sorted({_class(name) for name in names})
    if len(classes) < 2:
        return ()
    if classes[0] == "":
        stray = next(name for name in names if not _class(name))
        raise ValueError(
            f"image-folder: {place / stray} is beside the class folder {classes[1]!r}; move it into one, "
            "or set labels = false"
        )
    return tuple(classes)


def _split(place: Path, names: Sequence[str], held_out: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return names to train on and names held out, in the order of their hashes, so that a limit keeps all classes."""
    fractions = {name: _hash_fraction(name) for name in names}
    ordered = sorted(names, key=lambda name: (fractions[name], name))
    unseen = tuple(name for name in ordered if fractions[name] < held_out)
    seen = tuple(ordered[len(unseen) :])
    if not seen or not unseen:
        empty = "trained on" if unseen else "held out"
        raise ValueError(
            f"image-folder: of the {len(names)} pictures in {place} none is {empty} at held_out = {held_out}; "
            "add pictures or change held_out"
        )
    return seen, unseen


def _hash_fraction(name: str) -> float:
    """Return a number in [0, 1) that depends on the name alone."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6]) / 2**48
