"""Hand a comparison to the reports that a suite asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..contract.components import Comparison
from ..contract.errors import RequestError
from ..contract.records import ComponentRef
from ..registry.registry import Registry

WRITTEN_FIRST = "html"  # so its page is the file to open


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
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"reports cannot be written to {folder}: {error.strerror}") from None
    files: list[Path] = []
    failed: dict[str, str] = {}
    for ref in sorted(refs, key=lambda ref: ref.name != WRITTEN_FIRST):
        try:
            files += registry.build("report", ref).write(comparison, folder)
        except Exception as error:
            failed[ref.name] = f"{type(error).__name__}: {error}"
    return files, failed
