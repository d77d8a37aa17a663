"""Read from the environment which trackers to use, and where they write."""

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


def choose_trackers(environment: Mapping[str, str], started: ganbench.RunStarted) -> dict[str, Tracker]:
    """Return the trackers that GANBENCH_TRACKERS names, built for this run.

    Raises ValueError if a name is unknown, and ImportError if the library of a tracker is not installed, before any
    tracker has written anything.
    """
    names = parse_names(environment.get("GANBENCH_TRACKERS", ""))
    for name in names:
        _check_libraries(name)
    folder = tracking_folder(environment, started)
    return {name: _load(name)(folder / name, started) for name in names}


def parse_names(names: str) -> list[str]:
    """Return the names in a comma-separated list, each once. Raises ValueError if one is unknown."""
    found = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    for name in found:
        if name not in TRACKERS:
            near = get_close_matches(name.lower(), TRACKERS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"valid: {', '.join(TRACKERS)}"
            raise ValueError(f"GANBENCH_TRACKERS: no tracker is called {name!r}; {hint}")
    return found


def tracking_folder(environment: Mapping[str, str], started: ganbench.RunStarted) -> Path:
    """Return the absolute folder in which each tracker has one of its own."""
    elsewhere = environment.get("GANBENCH_TRACKERS_DIR")
    return (Path(elsewhere) if elsewhere else Path(started.output) / "tracking").resolve()


def _check_libraries(tracker: str) -> None:
    for library in LIBRARIES[tracker]:
        spec = importlib.util.find_spec(library)
        # Without an origin it is a namespace: a folder of that name, such as wandb creates where it runs.
        if spec is None or spec.origin is None:
            raise ImportError(
                f"GANBENCH_TRACKERS: {tracker!r} needs {library}, which is not installed: "
                f"pip install 'ganbench-trackers[{tracker}]'"
            )


def _load(tracker: str) -> type[Tracker]:
    module, _, name = TRACKERS[tracker].partition(":")
    return getattr(importlib.import_module(module), name)
