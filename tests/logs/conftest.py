"""Fixtures: `ganbench diagnose` in this process, and CSV logs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def diagnose(say) -> Callable[..., Any]:
    """Call `ganbench diagnose ARGUMENTS --json`."""
    return lambda *arguments, as_json=True: say("diagnose", *arguments, *(["--json"] if as_json else []))


@pytest.fixture
def write_csv(tmp_path) -> Callable[..., Path]:
    """Write columns to a CSV file, None as an empty cell, and return its path."""

    def write(name: str = "log.csv", **columns: Iterable[object]) -> Path:
        path = tmp_path / name
        rows = zip(*columns.values(), strict=True)
        lines = [",".join(columns), *(",".join("" if v is None else str(v) for v in row) for row in rows)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write
