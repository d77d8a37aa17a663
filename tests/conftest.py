"""Trials made the way a suite makes them, small enough for tests, and the command line called in this process."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import small_disks
from small_suites import MLP, RING, suite_table, trials_of

import ganbench
from ganbench.cli import main
from ganbench.contract.records import Trial, TrialResult
from ganbench.registry.registry import Registry, load_registry

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch comes: tests run side by side, one on each core
os.environ["GANBENCH_CACHE"] = ""  # nothing is kept between tests, nor taken from the user's cache


@pytest.fixture
def registry() -> Registry:
    return load_registry()


@pytest.fixture
def make_trial() -> Callable[..., Trial]:
    """A trial of a method on a small ring (or the `datasets` given); other keys are training settings."""

    def make(
        method: Mapping[str, Any] | None = None,
        *,
        datasets: Any = RING,
        metrics: Any = ("modes",),
        diagnoses: Any = "all",
        files: tuple[str, ...] = (),
        seed: int = 0,
        samples: int = 200,
        at: tuple[float, ...] = (1.0,),
        **training: Any,
    ) -> Trial:
        table = suite_table(
            datasets=datasets,
            metrics=list(metrics),
            diagnoses=diagnoses,
            seeds=[seed],
            methods={"method": {"loss": "non-saturating", **MLP, **(method or {})}},
            training={"steps": 60, "batch_size": 32, **training},
            evaluation={"at": list(at), "samples": samples},
        )
        return trials_of(table, files)[0]

    return make


@pytest.fixture
def run_here() -> Callable[[Trial], TrialResult]:
    """Run a trial in this process on one thread."""
    return lambda trial: ganbench.run_trial(trial, threads=1)


@pytest.fixture
def plugin_file(tmp_path: Path) -> Callable[[str], tuple[str, ...]]:
    """A local plugin file with the given code, and where it is."""

    def write(code: str) -> tuple[str, ...]:
        path = tmp_path / "ganbench_plugins.py"
        path.write_text("import ganbench\nimport torch\nfrom torch import nn\n" + code, encoding="utf-8")
        return (str(path),)

    return write


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

    @property
    def findings(self) -> dict[str, Any]:
        """Of `diagnose --json`, by diagnosis."""
        return {row["diagnosis"]: row for row in self.json}

    @property
    def finding(self) -> Any:
        (row,) = self.json
        return row


@pytest.fixture(scope="session")
def exit_code() -> Callable[..., int]:
    """Call `ganbench ARGUMENTS` in this process, with a `MonkeyPatch` to do it by."""

    def call(patch: pytest.MonkeyPatch, *arguments: object) -> int:
        patch.setattr(warnings, "showwarning", warnings.showwarning)  # which the command line replaces
        patch.setattr(sys, "argv", ["ganbench", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0)

    return call


@pytest.fixture
def say(monkeypatch, capsys, exit_code) -> Callable[..., Said]:
    """Call `ganbench ARGUMENTS` where the test is."""

    def call(*arguments: object) -> Said:
        capsys.readouterr()
        code = exit_code(monkeypatch, *arguments)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return call


@pytest.fixture
def say_here(say, monkeypatch, tmp_path) -> Callable[..., Said]:
    """Call `ganbench ARGUMENTS` in `tmp_path`."""
    monkeypatch.chdir(tmp_path)
    return say


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A disk of a size that is given, which another call changes."""
    with small_disks.mount(tmp_path / "disk") as resize:
        yield resize
