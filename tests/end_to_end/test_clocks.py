"""A clock that is wrong, or is set back while a run goes on, changes no result, no duration and no end."""

from __future__ import annotations

import itertools
import json
import re
import time
from pathlib import Path

import pandas as pd
import pytest

import ganbench

SUITE = """
metrics = ["energy-distance"]
seeds = 1
datasets = ["ring"]
[training]
steps = 12
batch_size = 16
[evaluation]
samples = 100
[checkpoints]
minutes = 1e-9
[methods.small]
loss = "hinge"
generator = { name = "mlp", width = 8 }
discriminator = { name = "mlp", width = 8 }
"""
RUN = ("run", "mine.toml", "--executor", "inline", "--output")


@pytest.fixture
def clock_set_back(monkeypatch, tmp_path):
    """A clock that is an hour earlier each time that it is read, and a suite."""
    (tmp_path / "mine.toml").write_text(SUITE)
    hours = itertools.count()
    now = time.time()

    def set_back() -> None:
        monkeypatch.setattr(time, "time", lambda: now - 3600 * next(hours))
        monkeypatch.setattr(time, "time_ns", lambda: int((now - 3600 * next(hours)) * 1e9))

    return set_back


def bits(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("trials/*/*.safetensors")} | {
        path.name: path.read_bytes() for path in folder.glob("trials/*/history.parquet")
    }


def test_a_run_is_the_same_and_no_duration_is_below_zero(say_here, tmp_path, clock_set_back):
    assert say_here(*RUN, "right").code == 0
    clock_set_back()
    assert say_here(*RUN, "wrong").code == 0
    assert bits(tmp_path / "wrong") == bits(tmp_path / "right")
    (result,) = tmp_path.glob("wrong/trials/*/result.json")
    facts = json.loads(result.read_text())
    assert facts["seconds"] >= facts["train_seconds"] > 0
    assert (pd.read_csv(result.with_name("scores.csv")).seconds >= 0).all()


def test_a_run_ends_after_its_minutes_and_goes_on_to_the_same_end(say_here, tmp_path, clock_set_back):
    assert say_here(*RUN, "right").code == 0
    clock_set_back()
    paused = say_here(*RUN, "wrong", "--max-minutes", "1e-5")
    assert paused.code == 75, paused
    assert say_here(*RUN, "wrong").code == 0
    assert bits(tmp_path / "wrong") == bits(tmp_path / "right")


def test_nothing_in_ganbench_reads_the_time_of_day():
    """Durations are of the monotonic clock; who is alive is seen by what changes, never by when it says that it did."""
    reads = re.compile(r"\btime\.(time|time_ns|localtime|gmtime|ctime)\(|\bdatetime\b|\.(now|utcnow)\(")
    root = Path(ganbench.__file__).parent
    plugins = root.parent / "plugins"
    sources = [
        *root.rglob("*.py"),
        *plugins.glob("ganbench-slurm/ganbench_slurm/*.py"),
        *plugins.glob("ganbench-ray/*/*.py"),
    ]
    assert [str(path) for path in sources if reads.search(path.read_text()) and "tests" not in path.parts] == []
