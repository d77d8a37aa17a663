"""Hand a comparison to the reports that a suite asks for."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..contract.components import Comparison
from ..contract.errors import RequestError, StorageError, printable
from ..contract.files import DISK_IS_FULL
from ..contract.records import ComponentRef
from ..registry.registry import Registry

WRITTEN_FIRST = "html"  # so its page is the file to open
FOLDER_IS_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)
FILE_IN_THE_WAY = (errno.ENOTDIR, errno.EEXIST)


def check_reports(refs: Sequence[ComponentRef] | None, registry: Registry, where: str) -> list[ComponentRef]:
    """Return the reports asked for, with their options checked; if `refs` is None, all but those on request.

    Raises:
        RequestError: If one is unknown or does not take its options; `where` says who asked for it.
    """
    if refs is None:
        refs = [ComponentRef(entry.name) for entry in registry.entries("report") if not entry.component.on_request]
    return [registry.check("report", ref, where) for ref in refs]


def write_reports(
    comparison: Comparison, refs: Sequence[ComponentRef], registry: Registry, folder: Path
) -> tuple[list[Path], dict[str, str]]:
    """Write reports into `folder`; a report that raises does not affect the others.

    Returns:
        The files, the one to open first, and the error of each report that failed, by its name.

    Raises:
        RequestError: If the folder cannot be made.
        StorageError: If that is since the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        kind = StorageError if error.errno in DISK_IS_FULL else RequestError
        raise kind(f"reports cannot be written: {_explain(error, folder)}") from None
    files: list[Path] = []
    failed: dict[str, str] = {}
    for ref in sorted(refs, key=lambda ref: ref.name != WRITTEN_FIRST):
        try:
            files += registry.build("report", ref).write(comparison, folder)
        except Exception as error:
            failed[ref.name] = _explain(error, folder)
    return files, failed


def describe_failed_reports(failed: Mapping[str, str]) -> list[str]:
    """Return a line for each reason why reports have failed, with the names of all that failed for it."""
    names: dict[str, list[str]] = {}
    for name, why in failed.items():
        names.setdefault(why, []).append(repr(name))
    return [
        printable(f"report{'s' if len(those) > 1 else ''} {', '.join(those)} failed: {why}")
        for why, those in names.items()
    ]


def _explain(error: Exception, folder: Path) -> str:
    """Say why a report failed: of a full or a closed folder the same for all reports, so that it is said once."""
    if not isinstance(error, OSError) or error.errno not in (*DISK_IS_FULL, *FOLDER_IS_CLOSED, *FILE_IN_THE_WAY):
        return f"{type(error).__name__}: {error}"
    why, remedy = os.strerror(error.errno), "open it for writing or give another with --output"
    if error.errno in DISK_IS_FULL:
        remedy = "make room there"
    elif error.errno in FILE_IN_THE_WAY:
        why, remedy = "a file is in its place", "remove that or give another folder with --output"
    return f"{folder}: {why}; {remedy}, then 'ganbench report' writes what is missing"
