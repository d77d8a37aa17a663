"""Trials of a second, made of a suite's tables as any trial is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import plan
from ..catalog import Catalog
from ..records import DataSpec, Trial
from ..suite import Suite
from ..suite.reading import parse

RING = {"ring": {"dataset": {"name": "ring", "sigma": 0.05, "size": 2000, "held_out": 500}}}
MLP = {"generator": {"name": "mlp", "width": 16}, "discriminator": {"name": "mlp", "width": 16}}


def specs_of(suite: Suite, catalog: Catalog) -> dict[str, DataSpec]:
    """What each data set of a suite looks like, by its label. Whatever building one raises passes through."""
    return {label: catalog.build("dataset", entry.ref).spec for label, entry in suite.datasets.items()}


def trials_of(table: Mapping[str, Any], catalog: Catalog) -> list[Trial]:
    """The trials of a suite table, for a process that loads the same plugin files as `catalog`."""
    suite = parse(table, Path("check.toml"))
    return plan.unfold(suite, catalog, specs_of(suite, catalog), plugin_files=catalog.plugins.files)


def small_trial(
    catalog: Catalog, *, steps: int = 30, datasets: Any = RING, diagnoses: Any = (), **method: Any
) -> Trial:
    """A short trial of a small method; other keys replace the parts of the method."""
    table = {
        "datasets": datasets,
        "metrics": ["energy-distance"],
        "diagnoses": list(diagnoses),
        "seeds": 1,
        "methods": {"small": {"loss": "non-saturating", **MLP, **method}},
        "training": {"steps": steps, "batch_size": 16},
        "evaluation": {"at": [1.0], "samples": 100},
    }
    return trials_of(table, catalog)[0]
