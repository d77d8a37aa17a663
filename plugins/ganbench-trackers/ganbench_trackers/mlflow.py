"""MLflow: an experiment for each suite, a run for each trial."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ganbench

from . import content

# Read when mlflow is imported or first calls a server. Unless the user has set them: no telemetry, no log lines
# between the progress lines on standard error, and no retries for minutes if a server does not answer.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")

from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

MAX_METRICS, MAX_PARAMETERS = 1000, 100  # per call of MLflow's log_batch


class MLflow:
    """Runs in the store `folder/mlflow.db`, or where MLFLOW_TRACKING_URI says."""

    def __init__(self, folder: Path, started: ganbench.RunStarted) -> None:
        uri = os.environ.get("MLFLOW_TRACKING_URI")
        if not uri:
            folder.mkdir(parents=True, exist_ok=True)
        self._client = MlflowClient(tracking_uri=uri or f"sqlite:///{folder / 'mlflow.db'}")
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or started.suite
        # A server decides by itself where artifacts go.
        artifacts = None if uri else (folder / "artifacts").as_uri()
        self._experiment = self._find_or_create(name, artifacts)
        self._output = f"{platform.node()}:{Path(started.output).resolve()}"
        self._close_abandoned()

    def open(self, trial: ganbench.Trial) -> _Record:
        tags = {"ganbench.trial": trial.id, "ganbench.output": self._output, "mlflow.source.name": "ganbench run"}
        run = self._client.create_run(self._experiment, run_name=trial.id, tags=tags)
        record = _Record(self._client, run.info.run_id)
        record.log_parameters(content.flatten(content.parameters(trial)))
        return record

    def _find_or_create(self, name: str, artifacts: str | None) -> str:
        if found := self._client.get_experiment_by_name(name):
            return found.experiment_id
        try:
            return self._client.create_experiment(name, artifact_location=artifacts)
        except MlflowException:  # another run of this suite has just made it
            if found := self._client.get_experiment_by_name(name):
                return found.experiment_id
            raise

    def _close_abandoned(self) -> None:
        """End the runs that a killed `ganbench run` into the same results folder has left running."""
        for run in self._client.search_runs([self._experiment], "attributes.status = 'RUNNING'"):
            if run.data.tags.get("ganbench.output") == self._output:
                self._client.set_terminated(run.info.run_id, "KILLED")


class _Record:
    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self._client = client
        self._run_id = run_id

    def log_parameters(self, values: Mapping[str, Any]) -> None:
        parameters = [Param(_key(name), str(value)) for name, value in values.items()]
        for part in _parts(parameters, MAX_PARAMETERS):
            self._client.log_batch(self._run_id, params=part)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        now = int(time.time() * 1000)
        metrics = [Metric(_key(name), value, now, step) for name, value in values.items()]
        for part in _parts(metrics, MAX_METRICS):
            self._client.log_batch(self._run_id, metrics=part)

    def end(self, result: ganbench.TrialResult) -> None:
        tags = [RunTag(f"ganbench.{name}", str(value)) for name, value in content.outcome(result).items()]
        self._client.log_batch(self._run_id, tags=[*tags, RunTag("mlflow.note.content", content.summary(result))])
        self._client.set_terminated(self._run_id, "FAILED" if result.status.is_fault else "FINISHED")

    def interrupt(self) -> None:
        self._client.set_terminated(self._run_id, "KILLED")


def _key(name: str) -> str:
    """Replace characters that MLflow does not allow in names."""
    return re.sub(r"[^\w\-. :/]", "_", name)


def _parts(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]
