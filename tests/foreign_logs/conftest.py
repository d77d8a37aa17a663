"""`ganbench diagnose` called in this process, and logs as other programs write them."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ganbench.cli import main


@dataclass
class Said:
    """What the command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def findings(self) -> dict[str, Any]:
        """By diagnosis."""
        return {row["diagnosis"]: row for row in json.loads(self.out)}

    @property
    def finding(self) -> Any:
        (row,) = json.loads(self.out)
        return row


@pytest.fixture
def diagnose(monkeypatch, capsys) -> Callable[..., Said]:
    """Call `ganbench diagnose ARGUMENTS --json`."""
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)

    def call(*arguments: object, as_json: bool = True) -> Said:
        given = [*map(str, arguments), *(["--json"] if as_json else [])]
        monkeypatch.setattr(sys, "argv", ["ganbench", "diagnose", *given])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return Said(int(end.value.code or 0), said.out, said.err)

    return call


@pytest.fixture
def write_csv(tmp_path) -> Callable[..., Path]:
    """Write columns of numbers, None as an empty cell, as log.csv."""

    def write(name: str = "log.csv", **columns: Iterable[object]) -> Path:
        path = tmp_path / name
        rows = zip(*columns.values(), strict=True)
        lines = [",".join(columns), *(",".join("" if v is None else str(v) for v in row) for row in rows)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write
