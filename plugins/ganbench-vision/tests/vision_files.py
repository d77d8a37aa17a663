"""Files in the formats of the data sets, with contents made up."""

from __future__ import annotations

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np

IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def idx(array: np.ndarray) -> bytes:
    """An array of bytes in the IDX format: a magic number, each dimension, the values."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_idx(folder: Path, packed: bool, counts: tuple[int, int] = (40, 20), side: int = 28, seed: int = 0) -> Path:
    """Random digits: the four files of MNIST in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    for count, (images, labels) in zip(counts, (IDX[:2], IDX[2:]), strict=True):
        for name, values in ((images, random.integers(256, size=(count, side, side))), (labels, np.arange(count) % 10)):
            content = idx(values.astype(np.uint8))
            (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(content, mtime=0) if packed else content)
    return folder


def md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes()).hexdigest()


def with_checksums(listed, folder: Path):
    """torchvision's own list of [name, checksum], with the checksums of the files in `folder`."""
    return [[name, md5(folder / name)] for name, _ in listed]
