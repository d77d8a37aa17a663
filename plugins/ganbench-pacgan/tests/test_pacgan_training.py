"""Packed discriminators train, with every penalty and diagnosis that there is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import ganbench

SUITE = """
seeds = 1
metrics = ["modes", "energy-distance"]
reports = ["csv"]
executor = "inline"

[datasets.ring]
dataset = { name = "ring", size = 500, held_out = 200 }

[datasets.digits]

[training]
steps = 20
batch_size = 12

[evaluation]
at = [1.0]
samples = 60

[methods.mlp]
loss = "non-saturating"
generator = { name = "pacgan-mlp", width = 8, depth = 1 }
discriminator = { name = "packed", degree = 2, discriminator = { name = "mlp", width = 8 } }
images = { discriminator = { name = "packed", degree = 5, discriminator = { name = "mlp", width = 8 } } }

[methods.penalties]
loss = "relativistic"
regularizers = ["r1", "r2", "gradient-penalty", "dragan", "weight-clipping"]
generator = { name = "pacgan-mlp", width = 8, depth = 1 }
discriminator = { name = "packed", degree = 3, discriminator = { name = "maxout", width = 4, depth = 1 } }
images = { generator = { name = "pacgan-dcgan", width = 2 }, discriminator = { name = "packed", degree = 4, discriminator = { name = "pacgan-dcgan", width = 2 } } }
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> ganbench.Comparison:
    folder = tmp_path_factory.mktemp("run")
    (folder / "packs.toml").write_text(SUITE)
    command = [sys.executable, "-m", "ganbench", "run", "--suite", "packs.toml", "--output", "out"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=200, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    return ganbench.load(folder / "out")


def of(run: ganbench.Comparison, dataset: str, method: str):
    trials = run.trials
    return trials[(trials.dataset == dataset) & (trials.method == method)].iloc[0]


@pytest.mark.parametrize("dataset", ["ring", "digits"])
def test_packs_train_under_every_penalty(run, dataset):
    trial = of(run, dataset, "penalties")
    assert (trial.status, trial.steps) == ("done", 20), trial.reason


def test_a_packed_run_is_observed_and_diagnosed(run):
    trial = of(run, "ring", "mlp")
    history = run.history(trial.trial)
    for signal in ("auc_d", "input_gradient", "known_critic_auc", "coverage", "d_real"):
        assert 0 <= history[signal][-1] < float("inf"), signal
    assert trial.verdicts


def test_a_batch_that_does_not_divide_into_packs_is_skipped_with_the_reason(run):
    trial = of(run, "digits", "mlp")
    assert trial.status == "skipped"
    assert "batch_size = 12 samples do not divide into packs of 5; 10 or 15 would" in trial.reason


def test_the_picture_of_a_packed_run_shows_single_samples(run):
    picture = run.picture(of(run, "digits", "penalties").trial)
    assert isinstance(picture, Path) and picture.is_file()
