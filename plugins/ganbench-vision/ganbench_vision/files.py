"""Files of a data set: where they are, how they are downloaded, and whether they are the published ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

VARIABLE = "GANBENCH_DATA"

T = TypeVar("T")


def data_root(root: str | None, name: str) -> Path:
    """Return the folder of data sets: `root`, or else the one that GANBENCH_DATA names.

    Raises FileNotFoundError if neither is given.
    """
    given = root or os.environ.get(VARIABLE)
    if not given:
        raise FileNotFoundError(
            f"{name}: the folder of its files is not set; set the option root, or the environment variable {VARIABLE}, "
            "to the folder of data sets"
        )
    return Path(given).expanduser().absolute()


def require(name: str, files: Sequence[Path], fetch: Callable[[], object] | None, advice: str) -> None:
    """Ensure that `files` exist, calling `fetch` if some are missing and it is given.

    Raises FileNotFoundError, which names the missing ones and ends in `advice`, and OSError if fetching fails.
    """
    if fetch is not None and missing(files):
        run_download(name, fetch)
    if lacking := missing(files):
        names = ", ".join(file.name for file in lacking)
        raise FileNotFoundError(f"{name}: not found: {names}; {advice}, or set download = true")


def missing(files: Iterable[Path]) -> list[Path]:
    """Return those that do not exist."""
    return [file for file in files if not file.exists()]


def run_download(name: str, fetch: Callable[[], object]) -> None:
    """Call `fetch`; raise OSError, in one line, if it fails in whatever way."""
    try:
        fetch()
    except Exception as error:
        raise OSError(f"{name}: cannot be downloaded: {' '.join(str(error).split())}") from error


def read_published(name: str, folder: Path, md5: Mapping[str, str], read: Callable[[], T]) -> T:
    """Return what torchvision's `read` returns, which checks that the files in `folder` are the published ones.

    `md5` has the checksum of each file. Raises ValueError, which names the files that differ.
    """
    try:
        return read()
    except RuntimeError as error:
        if mismatch := mismatch_message(folder / file for file in md5 if not is_published(folder / file, md5[file])):
            raise ValueError(f"{name}: {mismatch}") from error
        raise


def mismatch_message(files: Iterable[Path]) -> str:
    """Return the error for files that are not the published ones; an empty text if there are none."""
    names = ", ".join(str(file) for file in files)
    return f"not as published (the md5 differs): {names}; remove and fetch again" if names else ""


def is_published(file: Path, md5: str) -> bool:
    """Return whether the file exists and has that checksum."""
    from torchvision.datasets.utils import check_integrity

    return check_integrity(file, md5)
