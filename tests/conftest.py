"""Trials made the way a suite makes them, small enough for tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import ganbench
from ganbench import catalog as catalogs
from ganbench import plan
from ganbench.catalog import Catalog
from ganbench.records import Trial, TrialResult
from ganbench.run import describe_data
from ganbench.suite.reading import parse

RING = {"ring": {"dataset": {"name": "ring", "sigma": 0.05, "size": 5000, "held_out": 1000}}}
MLP = {"generator": {"name": "mlp", "width": 32}, "discriminator": {"name": "mlp", "width": 32}}
SMALL_CONV = {"generator": {"name": "conv", "width": 8}, "discriminator": {"name": "conv", "width": 8}}


def suite_table(**changes: Any) -> dict[str, Any]:
    """A suite of one method on a ring; keys given replace its own."""
    method = {"loss": "non-saturating", **MLP}
    table: dict[str, Any] = {"datasets": RING, "metrics": ["modes"], "seeds": 1, "methods": {"ns": method}}
    table["training"] = {"steps": 60, "batch_size": 32}
    table["evaluation"] = {"at": [1.0], "samples": 200}
    return table | changes


def trials_of(table: Mapping[str, Any], files: tuple[str, ...] = ()) -> list[Trial]:
    """The trials of a suite table."""
    catalog = catalogs.load(files)
    suite = parse(table, Path("test.toml"))
    return plan.unfold(suite, catalog, describe_data(suite, catalog), plugin_files=files)


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
