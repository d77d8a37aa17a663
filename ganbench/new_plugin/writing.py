"""A project put into a folder whole, or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ..catalog import Catalog
from ..errors import RequestError
from .project import Project


def write(project: Project, folder: Path, catalog: Catalog) -> list[Path]:
    """Write the files of `project` into `folder`, which is made where it is not there; returns their paths.

    Raises RequestError, and writes nothing, where the folder holds something or cannot be written, and where `catalog`
    knows a plugin or a component by one of the project's names.
    """
    _check_clashes(project, catalog)
    try:
        target = folder.resolve()
        if target.exists() and not target.is_dir():
            raise RequestError(f"{folder} is a file; give another folder with --output")
        if target.exists() and any(target.iterdir()):
            raise RequestError(f"folder {folder} is not empty; give another with --output")
        _write_whole(project.files(), target)
    except OSError as error:
        raise RequestError(f"folder {folder} cannot be written: {error.strerror}") from error
    return [folder / path for path in project.files()]


def _check_clashes(project: Project, catalog: Catalog) -> None:
    for kind in project.kinds:
        for entry in catalog.entries(kind):
            if entry.name == project.component:
                line = f"there is a {kind} called {entry.name!r} already, of {entry.origin}"
                raise RequestError(f"{line}; try 'my-{entry.name}'")
    taken = catalog.plugins.origins.get(project.component)
    if taken is not None:
        raise RequestError(f"there is a plugin called {project.component!r} already, of {taken}; give another name")


def _write_whole(files: dict[str, str], target: Path) -> None:
    """Everything goes into a hidden draft first, so that nothing half-written is ever seen in `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    name = f".{target.name}.{os.getpid()}.part"
    draft = target / name if target.exists() else target.with_name(name)
    try:
        for path, text in files.items():
            place = draft / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text.encode("utf-8"))
        if target.exists():  # empty, and perhaps somebody's working directory: it stays the folder that it is
            for part in draft.iterdir():
                part.replace(target / part.name)
        else:
            draft.replace(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
