"""Record the files that a component writes, and those that it opens without an encoding."""

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

WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_written: list[Path] | None = None  # paths written by the thread `_thread`, while they are recorded
_thread: int | None = None


def is_cache(path: Path, root: Path) -> bool:
    """Return whether libraries may write to a path: compiled modules, caches, temporary files, devices."""
    if path.is_relative_to(root.resolve()):
        return False
    home = Path.home()
    named = (os.environ.get(name) for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"))
    caches = [Path(tempfile.gettempdir()), Path("/dev"), home / ".cache", home / ".config", home / "Library/Caches"]
    caches += [Path(name) for name in named if name]
    return "__pycache__" in path.parts or any(path.is_relative_to(cache.resolve()) for cache in caches)


@contextlib.contextmanager
def record_writes() -> Iterator[list[Path]]:
    """Provide the list of files that this thread opens for writing, moves or removes inside the block."""
    global _written, _thread
    _install()
    written: list[Path] = []
    _written, _thread = written, threading.get_ident()
    try:
        yield written
    finally:
        _written = _thread = None


def _install() -> None:
    """Install the audit hook once: it cannot be removed, and does nothing while nothing is recorded."""
    if not getattr(_on_event, "installed", False):
        sys.addaudithook(_on_event)
        _on_event.installed = True  # type: ignore[attr-defined]


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    if _written is None or threading.get_ident() != _thread:
        return
    changed: tuple[Any, ...] = ()
    if event == "open":
        path, _, flags = arguments
        changed = (path,) if isinstance(flags, int) and flags & WRITE_FLAGS else ()
    elif event in ("os.remove", "os.rmdir", "os.mkdir", "os.truncate"):
        changed = arguments[:1]
    elif event in ("os.rename", "os.link", "os.symlink"):
        changed = arguments[:2]
    for path in changed:
        if isinstance(path, str | bytes | os.PathLike):
            _written.append(Path(os.path.realpath(os.fsdecode(path))))


@contextlib.contextmanager
def record_missing_encodings() -> Iterator[list[Path]]:
    """Provide the list of files opened inside the block for writing text without an encoding."""
    opened: list[Path] = []
    original_open = io.open

    def recording_open(
        file: Any, mode: str = "r", buffering: int = -1, encoding: str | None = None, *a: Any, **k: Any
    ) -> Any:
        named = isinstance(file, str | bytes | os.PathLike)
        if named and encoding in (None, "locale") and "b" not in mode and set(mode) & set("wax+"):
            opened.append(Path(os.path.realpath(os.fsdecode(file))))
        return original_open(file, mode, buffering, encoding, *a, **k)

    with (
        mock.patch("builtins.open", recording_open),
        mock.patch("io.open", recording_open),
        mock.patch("io.text_encoding", lambda encoding, stacklevel=2: encoding),  # pathlib fills in a name with it
    ):
        yield opened
