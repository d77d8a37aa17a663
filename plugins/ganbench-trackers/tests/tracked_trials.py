"""A trial to be tracked, and readers of what each library stored of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import ganbench

ADAM = ganbench.ComponentRef("adam", {"lr": 2e-4, "betas": (0.5, 0.999)})
TRIAL = ganbench.Trial(
    id="ring-hinge-0-abc",
    suite="tiny",
    dataset="ring",
    method="hinge",
    seed=0,
    data=ganbench.DataSpec("points", (2,)),
    components=ganbench.Components(
        dataset=ganbench.ComponentRef("ring", {"sigma": 0.05}),
        generator=ganbench.ComponentRef("mlp", {"width": 16}),
        discriminator=ganbench.ComponentRef("mlp"),
        loss=ganbench.ComponentRef("hinge"),
        regularizers=(ganbench.ComponentRef("r1", {"weight": 0.5}), ganbench.ComponentRef("dragan")),
    ),
    training=ganbench.Training(steps=20, batch_size=32, optimizer_g=ADAM, optimizer_d=ADAM),
    evaluation=ganbench.Evaluation(()),
    diagnoses=(),
)
# What `flatten(parameters(TRIAL))` must say, among other things.
KNOWN = {
    "dataset": "ring",
    "method": "hinge",
    "seed": 0,
    "components.dataset.sigma": 0.05,
    "components.generator.name": "mlp",
    "components.generator.width": 16,
    "components.regularizers.r1.weight": 0.5,
    "components.regularizers.dragan.name": "dragan",
    "training.steps": 20,
    "training.optimizer_g.betas": "0.5, 0.999",
}


@dataclass
class StoredTrial:
    """What a reader found of a trial: `metrics` maps a name to its (step, value) pairs in the order written."""

    parameters: Mapping[str, Any]
    metrics: Mapping[str, list[tuple[int, float]]]
    outcome: str  # everything said of how it ended, as one text
    failed: bool | None  # None: it was never closed


def make_trial(seed: int) -> ganbench.Trial:
    return replace(TRIAL, id=f"ring-hinge-{seed}-abc", seed=seed)


def make_result(trial: ganbench.Trial, status: Any = "done", reason: str = "") -> ganbench.TrialResult:
    """With scores at two steps and a verdict, as a trial that was trained has."""

    def score(step: int, value: float) -> ganbench.Score:
        return ganbench.Score(step, "energy-distance", value, "lower", 0.01, 100, 100, 0.1)

    trained = {"steps": 20, "verdicts": ("mode-collapse",), "scores": (score(10, 0.5), score(20, 0.25))}
    return ganbench.TrialResult(trial, status, reason, **(trained if status in ("done", "diverged") else {}))


def progress(trial: ganbench.Trial, step: int, **row: float) -> ganbench.TrialProgress:
    return ganbench.TrialProgress(trial.id, step, 20, {"step": float(step), **row})


def read_tensorboard(tracking: Path) -> dict[str, StoredTrial]:
    """By trial, read with TensorBoard's EventAccumulator."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import api_pb2, metadata

    found = {}
    for folder in (tracking / "tensorboard").glob("*/*"):
        events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
        tags = events.Tags()
        said = events.summary_metadata
        start = metadata.parse_session_start_info_plugin_data(said[metadata.SESSION_START_INFO_TAG].plugin_data.content)
        values = {name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()}
        outcome, failed = "", None
        if metadata.SESSION_END_INFO_TAG in said:
            end = metadata.parse_session_end_info_plugin_data(said[metadata.SESSION_END_INFO_TAG].plugin_data.content)
            failed = end.status == api_pb2.STATUS_FAILURE
            outcome = events.Tensors("outcome")[-1].tensor_proto.string_val[0].decode()
        metrics = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in tags["scalars"]}
        found[folder.name] = StoredTrial(values, metrics, outcome, failed)
    return found


def read_mlflow(tracking: Path) -> dict[str, StoredTrial]:
    """By trial, the newest run of each, read with MlflowClient."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{tracking / 'mlflow' / 'mlflow.db'}")
    (experiment,) = [e for e in client.search_experiments() if e.name != "Default"]
    found = {}
    for run in client.search_runs([experiment.experiment_id], order_by=["start_time ASC"]):
        metrics = {
            name: [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)]
            for name in run.data.metrics
        }
        failed = None if run.info.status == "RUNNING" else run.info.status != "FINISHED"
        outcome = " ".join([run.info.status, *run.data.tags.values()])
        found[run.info.run_name] = StoredTrial(run.data.params, metrics, outcome, failed)
    return found


def read_wandb(tracking: Path) -> dict[str, StoredTrial]:
    """By trial, read with `wandb leet inspect`."""
    from ganbench_trackers.content import flatten
    from wandb.util import get_core_path

    runs = []
    for file in (tracking / "wandb").glob("offline-run-*/run-*.wandb"):
        # The program behind `wandb leet inspect`, without the seconds that the command takes to get there.
        line = [
            get_core_path(),
            "leet",
            "inspect",
            "--no-observability",
            "--json",
            "--run-file",
            str(file),
            str(file.parents[1]),
        ]
        said = subprocess.run(line, capture_output=True, text=True, check=True)
        runs.append([json.loads(line) for line in said.stdout.splitlines()])
    found = {}
    for records in sorted(runs, key=_start_time):
        first = _first_run(records)
        metrics: dict[str, list[tuple[int, float]]] = {}
        for row in (r["history"]["item"] for r in records if r["type"] == "history"):
            for name, value in row.items():
                if "/" in name:
                    metrics.setdefault(name, []).append((row["step"], float(value)))
        outcome = json.dumps([r for r in records if r["type"] in ("summary", "run")])
        codes = [r["exit"].get("exit_code", 0) for r in records if r["type"] == "exit"]
        failed = codes[-1] != 0 if codes else None
        found[first["display_name"]] = StoredTrial(flatten(first["config"]["update"]), metrics, outcome, failed)
    return found


def _first_run(records: list[dict[str, Any]]) -> dict[str, Any]:
    return next(record["run"] for record in records if record["type"] == "run")


def _start_time(records: list[dict[str, Any]]) -> datetime:
    return datetime.fromisoformat(_first_run(records)["start_time"])


READERS = {"tensorboard": read_tensorboard, "mlflow": read_mlflow, "wandb": read_wandb}
