"""Suites small enough for tests, expanded the way any suite is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganbench.contract.records import Trial
from ganbench.pipeline import describe_data
from ganbench.registry.registry import load_registry
from ganbench.suite import expand
from ganbench.suite.parse import parse_suite

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
    registry = load_registry(files)
    suite = parse_suite(table, Path("test.toml"))
    return expand.expand(suite, registry, describe_data(suite, registry), plugin_files=files)
