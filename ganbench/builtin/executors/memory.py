"""How much memory there is, and a worker kept to its share of it."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

CGROUP = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def machine_memory() -> int | None:
    """Bytes of memory of this machine, or of the container that it shows us; None where it does not say."""
    try:
        found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    except (ValueError, OSError, AttributeError):
        return None
    for file in CGROUP:
        with contextlib.suppress(OSError, ValueError):  # not there, or "max"
            found.append(int(file.read_text()))
    return min(found)


def keep_to(limit: int | None) -> None:
    """Refuse this process more than `limit` bytes, and have the system, where memory runs out, end it first."""
    if not sys.platform.startswith("linux"):
        return  # elsewhere the limit means something else, or nothing
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    if limit is None:
        return
    import resource

    # Of data, not of addresses: torch maps libraries far larger than what it uses.
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
