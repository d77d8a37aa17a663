"""Pictures and labels in NumPy's `.npz` archives: which arrays are read, in which layouts, and how they are split."""

from __future__ import annotations

import contextlib
import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

# Names of the arrays of an archive that is split already, and of one that is not: pictures, then labels.
PARTS = {True: ("train_x", "train_y"), False: ("test_x", "test_y")}
WHOLE_PICTURES = ("x", "images", "samples", "arr_0")
WHOLE_LABELS = ("y", "labels", "arr_1")
MAX_SPARSE_CLASSES = 1000  # larger class numbers than pictures are no class numbers but something else


@dataclass(frozen=True)
class Archive:
    """What an archive holds, found without reading its pictures.

    Attributes:
        file: The archive.
        pictures: Name of the array of training pictures, and of held-out ones; the same if it is not split.
        labels: Names of their labels; None where there are none.
        shape: Of one picture, (channels, height, width).
        classes: The largest label plus one; 0 without labels.
    """

    file: Path
    pictures: tuple[str, str]
    labels: tuple[str, str] | None
    shape: tuple[int, int, int]
    classes: int

    @property
    def is_split(self) -> bool:
        """Whether training and held-out pictures are arrays of their own."""
        return self.pictures[0] != self.pictures[1]

    def read(self, training: bool, share: float) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Read pictures (N, C, H, W) in uint8 and their labels (N,), in the order of the file.

        Args:
            training: Which part.
            share: Of pictures that are held out where the archive is not split: those whose content has a hash below it,
                so that copies of a picture are on one side.

        Raises:
            ValueError: It cannot be read, or the part is empty; the line names the file.
        """
        place = 0 if training else 1
        with open_archive(self.file) as archive:
            pictures = _channels_first(archive[self.pictures[place]])
            labels = None if self.labels is None else archive[self.labels[place]].astype(np.int64)
        if not self.is_split:
            held_out = np.array([hash_fraction(picture.tobytes()) < share for picture in pictures])
            chosen = ~held_out if training else held_out
            pictures, labels = pictures[chosen], None if labels is None else labels[chosen]
        if not len(pictures):
            part = "trained on" if training else "held out"
            raise ValueError(
                f"{self.file}: no picture is {part} at held_out = {share}; add pictures or change held_out"
            )
        x = torch.from_numpy(np.ascontiguousarray(pictures))
        return x, None if labels is None else torch.from_numpy(labels)


def inspect_archive(file: Path, with_labels: bool = True) -> Archive:
    """Return what an archive holds, its labels only if they are asked for.

    Raises ValueError, in one line that names the file and what is wrong with it.
    """
    with open_archive(file) as archive:
        names = archive.files
        pictures, labels = _find_arrays(file, names)
        labels = labels if with_labels else None
        shapes = [_picture_shape(file, name, *_header(archive, name)) for name in dict.fromkeys(pictures)]
        if shapes[0][1:] != shapes[-1][1:]:
            raise ValueError(
                f"{file}: {pictures[0]} holds pictures of shape {shapes[0][1:]} and {pictures[1]} of {shapes[-1][1:]}; "
                "they must be alike"
            )
        classes = 0
        if labels is not None:
            for name, (count, *_) in zip(dict.fromkeys(labels), shapes, strict=True):
                classes = max(classes, 1 + _check_labels(file, name, archive[name], count))
    return Archive(file, pictures, labels, shapes[0][1:], classes)


@contextlib.contextmanager
def open_archive(file: Path) -> Iterator[np.lib.npyio.NpzFile]:
    """Open an archive without ever unpickling. Raises ValueError, which names the file, for whatever cannot be read."""
    try:
        # opened here, since NumPy leaves a file open that turns out to be no archive
        with file.open("rb") as opened:
            archive = np.load(opened, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("it is one array (.npy), and no archive of named ones")
            with archive:
                yield archive
    except (EOFError, KeyError, MemoryError, OSError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if reason.startswith(str(file)):
            raise
        if "pickle" in reason:
            reason = "it holds Python objects, which are never read"
        raise ValueError(f"{file} cannot be read as an .npz: {reason}") from error


def hash_fraction(content: bytes) -> float:
    """Return a number in [0, 1) that depends on the content alone."""
    return int.from_bytes(hashlib.sha256(content).digest()[:6]) / 2**48


def _find_arrays(file: Path, names: list[str]) -> tuple[tuple[str, str], tuple[str, str] | None]:
    """Return the names of the arrays of pictures, and of labels if there are any."""
    (train_x, train_y), (test_x, test_y) = PARTS[True], PARTS[False]
    if train_x in names and test_x in names:
        labelled = [name for name in (train_y, test_y) if name in names]
        if len(labelled) == 1:
            raise ValueError(
                f"{file} holds {labelled[0]} without {train_y if labelled[0] == test_y else test_y}; add it"
            )
        return (train_x, test_x), (train_y, test_y) if labelled else None
    for alone, other in ((train_x, test_x), (test_x, train_x)):
        if alone in names:
            raise ValueError(f"{file} holds {alone} without {other}; add it, or name the array {WHOLE_PICTURES[0]}")
    pictures = next((name for name in WHOLE_PICTURES if name in names), None)
    if pictures is None:
        raise ValueError(
            f"{file} holds {', '.join(names) or 'nothing'}; name the array of pictures {WHOLE_PICTURES[0]}, "
            f"or two {train_x} and {test_x}"
        )
    labels = next((name for name in WHOLE_LABELS if name in names), None)
    return (pictures, pictures), None if labels is None else (labels, labels)


def _header(archive: np.lib.npyio.NpzFile, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Return shape and type of an array, of which nothing else is read."""
    with archive.zip.open(f"{name}.npy") as member:
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(member)
    return shape, dtype


def _picture_shape(file: Path, name: str, shape: tuple[int, ...], dtype: np.dtype) -> tuple[int, int, int, int]:
    """Return (N, C, H, W) of an array of pictures."""
    if dtype.hasobject:
        raise ValueError(f"{file}: {name} holds Python objects, which are never read; save uint8")
    if dtype != np.uint8:
        raise ValueError(f"{file}: {name} is {dtype}; give uint8, 0 to 255")
    if len(shape) == 3:
        n, (height, width), channels = shape[0], shape[1:], 1
    elif len(shape) == 4 and shape[1] in (1, 3):
        n, channels, height, width = shape
    elif len(shape) == 4 and shape[3] in (1, 3):
        n, height, width, channels = shape
    else:
        raise ValueError(
            f"{file}: {name} has shape {shape}; give (N, H, W), or (N, H, W, C) or (N, C, H, W) with C 1 or 3"
        )
    if not n or not height or not width:
        raise ValueError(f"{file}: {name} has shape {shape}, and so no picture")
    return n, channels, height, width


def _channels_first(pictures: np.ndarray) -> np.ndarray:
    if pictures.ndim == 3:
        return pictures[:, None]
    return pictures if pictures.shape[1] in (1, 3) else pictures.transpose(0, 3, 1, 2)


def _check_labels(file: Path, name: str, labels: np.ndarray, count: int) -> int:
    """Return the largest label. Raises ValueError if they are no class numbers, one for each picture."""
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"{file}: {name} is {labels.dtype} of shape {labels.shape}; give {count} whole numbers, one for each picture, "
            "or set labels = false"
        )
    if labels.min() < 0 or labels.max() >= max(count, MAX_SPARSE_CLASSES):
        raise ValueError(
            f"{file}: {name} ranges from {labels.min()} to {labels.max()}; number classes from 0 without gaps, "
            "or set labels = false"
        )
    return int(labels.max())
