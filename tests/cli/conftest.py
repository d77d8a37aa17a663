"""The command line called in this process, in a folder of its own."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ganbench.cli import main

SUITE = """
metrics = ["modes"]
seeds = 2
[datasets.ring]
dataset = { name = "ring", sigma = 0.05, size = 5000, held_out = 1000 }
[training]
steps = 40
batch_size = 32
[evaluation]
samples = 200
[methods.hinge]
loss = "hinge"
generator = { name = "mlp", width = 16 }
discriminator = { name = "mlp", width = 16 }
"""


@dataclass
class Said:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def first_line(self) -> str:
        return self.err.splitlines()[0]

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def ganbench(monkeypatch, capsys, tmp_path) -> Callable[..., Said]:
    """Call `ganbench ARGUMENTS` in `tmp_path`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)

    def call(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["ganbench", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return Said(int(end.value.code or 0), said.out, said.err)

    return call


@pytest.fixture
def write_suite(tmp_path) -> Callable[..., Path]:
    """Write the small suite as mine.toml, with text replaced or added."""

    def write(more: str = "", **replaced: str) -> Path:
        text = SUITE + more
        for old, new in replaced.items():
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return path

    return write
