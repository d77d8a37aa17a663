"""Weights & Biases: a project for each suite, a run for each trial, offline unless WANDB_MODE says otherwise."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ganbench

from . import content

# Read when wandb is imported: no error reports unless the user has set it.
os.environ.setdefault("WANDB_ERROR_REPORTING", "false")

import wandb

MODES = ("online", "offline", "disabled")


class WeightsAndBiases:
    """Runs in `folder/offline-run-*`."""

    def __init__(self, folder: Path, started: ganbench.RunStarted) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._project = os.environ.get("WANDB_PROJECT") or re.sub(r"[/\\#?%:]", "-", started.suite)
        self._settings = wandb.Settings(
            mode=_mode(),
            root_dir=str(folder.parent),  # wandb puts a folder called wandb into it
            reinit="create_new",  # trials run side by side
            silent=True,
            console="off",  # output is the run's, not a trial's
            x_disable_stats=True,  # nor is the machine's load, and measuring it takes time from training
        )
        wandb.setup(self._settings)

    def open(self, trial: ganbench.Trial) -> _Record:
        return _Record(
            wandb.init(
                project=self._project,
                name=trial.id,
                group=f"{trial.dataset} {trial.method}",
                config=content.parameters(trial),
                settings=self._settings,
            )
        )


def _mode() -> Any:
    mode = os.environ.get("WANDB_MODE") or "offline"
    if mode not in MODES:
        raise ValueError(f"WANDB_MODE: {mode!r} is unknown; valid: {', '.join(MODES)}")
    return mode


class _Record:
    def __init__(self, run: wandb.Run) -> None:
        self._run = run
        # W&B's own steps never go back, and scores come last: a step of ours is the axis of every chart.
        run.define_metric("step", hidden=True)
        run.define_metric("*", step_metric="step")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log({"step": step, **values})

    def end(self, result: ganbench.TrialResult) -> None:
        self._run.summary.update(content.outcome(result))
        self._run.notes = content.summary(result)
        self._run.finish(exit_code=1 if result.status.is_fault else 0)

    def interrupt(self) -> None:
        self._run.summary.update({"status": "interrupted"})
        self._run.finish(exit_code=130)
