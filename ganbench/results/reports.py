"""Stage 9: a comparison handed to the reports that a suite asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..contract.components import Comparison
from ..contract.errors import RequestError
from ..contract.records import ComponentRef
from ..registry.registry import Registry

SHOWN_FIRST = "html"  # where it is written, this is the report to open


def check_reports(refs: Sequence[ComponentRef] | None, registry: Registry, where: str) -> list[ComponentRef]:
    """The reports asked for, all where `refs` is None. Raises RequestError for one that there is not."""
    if refs is None:
        refs = [ComponentRef(entry.name) for entry in registry.entries("report")]
    return [registry.check("report", ref, where) for ref in refs]


def write_reports(
    comparison: Comparison, refs: Sequence[ComponentRef], registry: Registry, folder: Path
) -> tuple[list[Path], dict[str, str]]:
    """Write reports into `folder`; returns the files, the one to open first, and why any report failed, by name."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"reports cannot be written to {folder}: {error.strerror}") from None
    files: list[Path] = []
    failed: dict[str, str] = {}
    for ref in sorted(refs, key=lambda ref: ref.name != SHOWN_FIRST):
        try:
            files += registry.build("report", ref).write(comparison, folder)
        except Exception as error:  # one report's fault costs no other
            failed[ref.name] = f"{type(error).__name__}: {error}"
    return files, failed
