"""Writing files so that readers never find half of one."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import uuid
from pathlib import Path

# The system's numbers for want of room, or of more than is allowed.
DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def describe_os_error(error: Exception) -> str:
    """Return in one line why a file cannot be written or read: of a full disk that alone, whoever says it and however."""
    text = " ".join(str(error).split())
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (said := re.search(r"\(os error (\d+)\)", text)):  # as safetensors says it
        number = int(said[1])
    return os.strerror(number) if number in DISK_IS_FULL else text


def write_atomically(path: Path, content: bytes | str) -> Path:
    r"""Write a file so that readers find the old content or the new, never a part of it; return `path`.

    The content is written to a hidden file beside `path` first. If that fails, the hidden file is removed.

    Args:
        path: The file to write; its folder is created if it does not exist.
        content: Bytes, or text to be encoded as UTF-8 with its line ends as they are. What UTF-8 cannot encode (a
            lone surrogate from a file name) is written as its escape.

    Raises:
        OSError: If it cannot be written; its `filename` is `path`.
    """
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    # Not the tempfile module's: only their owner may read those, and renaming keeps the permissions.
    hidden = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden.write_bytes(data)
        hidden.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            hidden.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            error.filename = str(path)
            del error.filename2  # None would be shown
        raise
    return path
