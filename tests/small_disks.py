"""Small disks, to be filled: file systems of their own."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mount(place: Path) -> Iterator[Callable[[str], Path]]:
    """Give what mounts a disk of a size there, and returns its folder; called again it changes the size. Skip without root."""
    place.mkdir()

    def resize(size: str) -> Path:
        how = f"remount,size={size}" if place.is_mount() else f"size={size}"
        try:
            subprocess.run(["mount", "-t", "tmpfs", "-o", how, "none", place], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"needs root, to mount a small disk: {error}")
        return place

    try:
        yield resize
    finally:
        if place.is_mount():
            subprocess.run(["umount", "--lazy", place], check=True)


def fill(folder: Path) -> Path:
    """Fill the disk to its last byte; return the file that does."""
    path = folder / "fill"
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    return path
