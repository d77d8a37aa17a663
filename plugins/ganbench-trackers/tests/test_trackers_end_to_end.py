"""`ganbench run` with every tracker on: all is there, and the results are those of a run without."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from tracked_trials import READERS

import ganbench

SUITE = """
seeds = 1
metrics = ["energy-distance"]
diagnoses = ["divergence"]
reports = ["csv"]
executor = { name = "processes", threads = 1 }
[datasets.ring]
dataset = { name = "ring", sigma = 0.05, size = 1000, held_out = 200 }
[training]
steps = 20
batch_size = 16
[evaluation]
samples = 50
at = [0.5, 1.0]
[methods.hinge]
loss = "hinge"
regularizers = [{ name = "r1", weight = 0.5 }]
generator = { name = "mlp", width = 16 }
discriminator = { name = "mlp", width = 16 }
"""
TIMES = ["train_seconds", "seconds"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> tuple[Path, Path]:
    """The results of the suite with trackers and without, made side by side."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "tiny.toml").write_text(SUITE)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "WANDB_", "GANBENCH_"))}
    line = [sys.executable, "-m", "ganbench", "run", "--suite", "tiny.toml", "--workers", "1", "--output"]
    started = {
        name: subprocess.Popen(
            [*line, name],
            cwd=folder,
            env=own | {"GANBENCH_TRACKERS": trackers},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, trackers in (("tracked", ",".join(READERS)), ("plain", ""))
    }
    for name, process in started.items():
        _, said = process.communicate()
        assert process.returncode == 0, said
        assert "warning" not in said and "wandb" not in said, f"{name}: {said}"
    assert {p.name for p in folder.iterdir()} == {"tiny.toml", "tracked", "plain"}, "nothing is left elsewhere"
    return folder / "tracked", folder / "plain"


@pytest.mark.parametrize("tracker", sorted(READERS))
def test_every_trial_is_tracked_whole(runs, tracker):
    results = ganbench.load(runs[0])
    kept = READERS[tracker](runs[0] / "tracking")
    assert set(kept) == set(results.trials["trial"])
    for trial in results.trials.itertuples():
        there = kept[trial.trial]
        assert float(there.parameters["seed"]) == trial.seed
        assert float(there.parameters["components.regularizers.r1.weight"]) == 0.5
        history = results.history(trial.trial)
        for column in ("loss_d", "loss_g"):
            steps, values = zip(*there.metrics[f"history/{column}"], strict=True)
            assert list(steps) == list(history["step"])
            assert list(values) == pytest.approx(list(history[column]), nan_ok=True)
        scored = results.scores[results.scores["trial"] == trial.trial]
        for name, column in (("scores", "value"), ("floors", "floor")):
            pairs = [(step, pytest.approx(value)) for step, value in zip(scored["step"], scored[column], strict=True)]
            assert there.metrics[f"{name}/energy-distance"] == pairs
        assert trial.status in there.outcome and trial.verdicts in there.outcome
        assert there.failed is False


def test_trackers_change_no_result(runs):
    tracked, plain = (ganbench.load(folder) for folder in runs)
    drop = [name for name in TIMES if name in plain.trials]
    pd.testing.assert_frame_equal(tracked.trials.drop(columns=drop), plain.trials.drop(columns=drop))
    pd.testing.assert_frame_equal(tracked.scores.drop(columns="seconds"), plain.scores.drop(columns="seconds"))
    for trial in plain.trials["trial"]:
        one, other = pd.DataFrame(tracked.history(trial)), pd.DataFrame(plain.history(trial))
        pd.testing.assert_frame_equal(one, other)
