"""Fixtures: a listener and its output folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ganbench_trackers.listener import Listener


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ignore a warning that mlflow causes with the newest sqlalchemy."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"))


@pytest.fixture
def output(tmp_path) -> Path:
    return tmp_path / "out"


@pytest.fixture(scope="session")
def empty_mlflow_store(tmp_path_factory) -> Path:
    """An MLflow store without runs: making one takes a second or more."""
    from mlflow.tracking import MlflowClient

    store = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{store}").search_experiments()
    return store


@pytest.fixture
def listener(monkeypatch) -> Iterator[Listener]:
    """A listener, without the user's own settings of the libraries."""
    for name in list(os.environ):
        if name.startswith(("GANBENCH_", "MLFLOW_", "WANDB_")):
            monkeypatch.delenv(name)
    listener = Listener()
    yield listener
    listener.close()
