"""The command line called in a folder of its own, and a small suite for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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


@pytest.fixture
def ganbench(say_here) -> Callable[..., Any]:
    """Call `ganbench ARGUMENTS` in `tmp_path`."""
    return say_here


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
