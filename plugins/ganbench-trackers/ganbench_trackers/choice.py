"""Which trackers are asked for, and where they write."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

import ganbench

from .tracker import Tracker

TRACKERS = {
    "mlflow": "ganbench_trackers.mlflow:MLflow",
    "tensorboard": "ganbench_trackers.tensorboard:TensorBoard",
    "wandb": "ganbench_trackers.wandb:WeightsAndBiases",
}
LIBRARIES = {
    "mlflow": ("mlflow", "sqlalchemy", "alembic"),
    "tensorboard": ("tensorboard",),
    "wandb": ("wandb",),
}


def chosen(environment: Mapping[str, str], started: ganbench.RunStarted) -> dict[str, Tracker]:
    """The trackers that GANBENCH_TRACKERS names, made for this run.

    Raises ValueError for a name that is none, and ImportError for a tracker whose library is not installed,
    before any tracker has written anything.
    """
    names = names_in(environment.get("GANBENCH_TRACKERS", ""))
    for name in names:
        _check_libraries(name)
    folder = folder_of(environment, started)
    return {name: _load(name)(folder / name, started) for name in names}


def names_in(wanted: str) -> list[str]:
    """The names of a comma-separated list, each once. Raises ValueError for one that is no tracker's."""
    names = list(dict.fromkeys(name.strip() for name in wanted.split(",") if name.strip()))
    for name in names:
        if name not in TRACKERS:
            near = get_close_matches(name.lower(), TRACKERS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"valid: {', '.join(TRACKERS)}"
            raise ValueError(f"GANBENCH_TRACKERS: no tracker is called {name!r}; {hint}")
    return names


def folder_of(environment: Mapping[str, str], started: ganbench.RunStarted) -> Path:
    """The absolute folder in which each tracker has its own."""
    elsewhere = environment.get("GANBENCH_TRACKERS_DIR")
    return (Path(elsewhere) if elsewhere else Path(started.output) / "tracking").resolve()


def _check_libraries(tracker: str) -> None:
    for library in LIBRARIES[tracker]:
        spec = importlib.util.find_spec(library)
        # Without an origin it is a mere folder of that name, such as wandb leaves where it has run.
        if spec is None or spec.origin is None:
            raise ImportError(
                f"GANBENCH_TRACKERS: {tracker!r} needs {library}, which is not installed: "
                f"pip install 'ganbench-trackers[{tracker}]'"
            )


def _load(tracker: str) -> type[Tracker]:
    module, _, name = TRACKERS[tracker].partition(":")
    return getattr(importlib.import_module(module), name)
