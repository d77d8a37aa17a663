"""Writing a report's file so that a reader finds the old one or the new one, never half of one."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomically(path: Path, text: str) -> Path:
    """Put `text` at `path` as UTF-8 with `\\n` line ends, making its folder where needed; returns `path`.

    What UTF-8 cannot hold (a lone surrogate out of a file name) is written as its escape.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not tempfile's: those are readable by their owner alone, and os.replace would keep it so.
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.write_bytes(text.encode("utf-8", "backslashreplace"))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path
