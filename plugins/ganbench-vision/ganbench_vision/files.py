"""Where the files of a data set lie, how they get there, and whether they are the published ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

VARIABLE = "GANBENCH_DATA"

T = TypeVar("T")


def data_root(root: str | None, name: str) -> Path:
    """The folder that data sets lie in: `root`, else what GANBENCH_DATA names.

    Raises FileNotFoundError where neither is given.
    """
    given = root or os.environ.get(VARIABLE)
    if not given:
        raise FileNotFoundError(
            f"{name}: where are its files? Set the option root, or the environment variable {VARIABLE}, "
            "to the folder that data sets lie in"
        )
    return Path(given).expanduser().absolute()


def require(name: str, files: Sequence[Path], fetch: Callable[[], object] | None, advice: str) -> None:
    """See to it that `files` are there; those that are not come by `fetch`, where one is given.

    Raises FileNotFoundError that names the missing ones and ends in `advice`; OSError where fetching fails.
    """
    if fetch is not None and missing(files):
        run_download(name, fetch)
    if lacking := missing(files):
        names = ", ".join(file.name for file in lacking)
        raise FileNotFoundError(f"{name}: not found: {names}; {advice}, or set download = true")


def missing(files: Iterable[Path]) -> list[Path]:
    """Those that are not there."""
    return [file for file in files if not file.exists()]


def run_download(name: str, fetch: Callable[[], object]) -> None:
    """Call `fetch`. Raises OSError, in one line, for whatever a download can fail of."""
    try:
        fetch()
    except Exception as error:
        raise OSError(f"{name}: cannot be downloaded: {' '.join(str(error).split())}") from error


def opened(name: str, folder: Path, md5: Mapping[str, str], read: Callable[[], T]) -> T:
    """What torchvision's `read` returns, once it has found the files in `folder` to be the published ones.

    `md5` gives the checksum of each file. Raises ValueError naming those that differ.
    """
    try:
        return read()
    except RuntimeError as error:
        if foreign := differing(folder / file for file in md5 if not is_published(folder / file, md5[file])):
            raise ValueError(f"{name}: {foreign}") from error
        raise


def differing(files: Iterable[Path]) -> str:
    """What to say of files that are not the published ones; nothing where there are none."""
    names = ", ".join(str(file) for file in files)
    return f"not as published (the md5 differs): {names}; remove and fetch again" if names else ""


def is_published(file: Path, md5: str) -> bool:
    """Whether the file is there and has that md5."""
    from torchvision.datasets.utils import check_integrity

    return check_integrity(file, md5)
