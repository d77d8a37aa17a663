"""Trials made the way a suite makes them, small enough for tests."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch comes: tests run side by side, one on each core

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from small_suites import MLP, RING, suite_table, trials_of

import ganbench
from ganbench import catalog as catalogs
from ganbench.catalog import Catalog
from ganbench.records import Trial, TrialResult


@pytest.fixture
def catalog() -> Catalog:
    return catalogs.load()


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
