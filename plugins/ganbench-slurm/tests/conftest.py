"""Fixtures: a trial, and a Slurm of one file on the PATH."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import fake_slurm
import pytest
from small_suites import suite_table, trials_of

from ganbench.contract.records import Trial


@pytest.fixture
def make_trial() -> Callable[[], Trial]:
    """A trial on a small ring."""
    return lambda: trials_of(suite_table())[0]


@pytest.fixture
def slurm(tmp_path, monkeypatch) -> Iterator[Path]:
    """The folder of a Slurm whose commands are on the PATH until the test ends."""
    folder = tmp_path / "a slurm"
    monkeypatch.setenv("PATH", f"{fake_slurm.install(folder)}{os.pathsep}{os.environ['PATH']}")
    yield folder
    fake_slurm.stop_all(folder)
