"""How much memory is free, asked before samples from elsewhere are read: one who asks for more is told, not killed."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from ..contract.errors import RequestError

MEMINFO = Path("/proc/meminfo")
CONTAINER = Path("/sys/fs/cgroup")  # version 2: what a container may use, and uses


def free_memory() -> int | None:
    """Return the bytes that can be taken without anything being put aside; None if the system does not say."""
    found = []
    with contextlib.suppress(OSError):
        if line := re.search(r"^MemAvailable:\s+(\d+) kB", MEMINFO.read_text(), re.MULTILINE):
            found.append(int(line[1]) * 1024)
    with contextlib.suppress(OSError, ValueError):  # there is no limit, or it says "max"
        limit, used = (int((CONTAINER / name).read_text()) for name in ("memory.max", "memory.current"))
        found.append(limit - used)
    if not found:
        with contextlib.suppress(ValueError, OSError, AttributeError):
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(found, default=None)


def check_memory(needed: float, what: str) -> None:
    """Raise RequestError if more bytes are needed than are free; its line begins with `what`."""
    free = free_memory()
    if free is not None and needed > free:
        raise RequestError(
            f"{what} take {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free; give fewer or smaller ones"
        )
