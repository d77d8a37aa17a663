"""What a component does to the file system, seen from where it runs."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_touched: list[Path] | None = None  # what the checking thread changes on disk, while someone watches
_watcher: int | None = None


def is_cache(path: Path, root: Path) -> bool:
    """Whether libraries may write there: compiled modules, caches, temporary files, devices."""
    if path.is_relative_to(root.resolve()):
        return False
    home = Path.home()
    named = (os.environ.get(name) for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"))
    caches = [Path(tempfile.gettempdir()), Path("/dev"), home / ".cache", home / ".config", home / "Library/Caches"]
    caches += [Path(name) for name in named if name]
    return "__pycache__" in path.parts or any(path.is_relative_to(cache.resolve()) for cache in caches)


@contextlib.contextmanager
def watched() -> Iterator[list[Path]]:
    """The files that this thread opens for writing, moves or removes inside the block."""
    global _touched, _watcher
    _install()
    touched: list[Path] = []
    _touched, _watcher = touched, threading.get_ident()
    try:
        yield touched
    finally:
        _touched = _watcher = None


def _install() -> None:
    """Once for all: an audit hook stays as long as the process. It does nothing while nobody watches."""
    if not getattr(_on_event, "installed", False):
        sys.addaudithook(_on_event)
        _on_event.installed = True  # type: ignore[attr-defined]


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    if _touched is None or threading.get_ident() != _watcher:
        return
    changed: tuple[Any, ...] = ()
    if event == "open":
        path, _, flags = arguments
        changed = (path,) if isinstance(flags, int) and flags & WRITING else ()
    elif event in ("os.remove", "os.rmdir", "os.mkdir", "os.truncate"):
        changed = arguments[:1]
    elif event in ("os.rename", "os.link", "os.symlink"):
        changed = arguments[:2]
    for path in changed:
        if isinstance(path, str | bytes | os.PathLike):
            _touched.append(Path(os.path.realpath(os.fsdecode(path))))


@contextlib.contextmanager
def encoding_left_open() -> Iterator[list[Path]]:
    """The files opened inside the block to write text, whose encoding is left to the machine's locale."""
    opened: list[Path] = []
    really_open = io.open

    def opening(file: Any, mode: str = "r", buffering: int = -1, encoding: str | None = None, *a: Any, **k: Any) -> Any:
        named = isinstance(file, str | bytes | os.PathLike)
        if named and encoding in (None, "locale") and "b" not in mode and set(mode) & set("wax+"):
            opened.append(Path(os.path.realpath(os.fsdecode(file))))
        return really_open(file, mode, buffering, encoding, *a, **k)

    with (
        mock.patch("builtins.open", opening),
        mock.patch("io.open", opening),
        mock.patch("io.text_encoding", lambda encoding, stacklevel=2: encoding),  # pathlib fills in a name with it
    ):
        yield opened
