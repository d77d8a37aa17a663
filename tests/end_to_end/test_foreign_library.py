"""Networks and losses of another library, unchanged, run in ganbench through a plugin of forty lines.

The library is torchgan 0.1.0 (Pal and Das 2021), as published. Its networks' second argument is meant for something
else, but only `True` changes what they do, so that labels may pass.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest
import torch
import torchgan.losses
import torchgan.models

import ganbench
import ganbench.testing

WRAPPER = Path(__file__).parent / "foreign" / "ganbench_plugins.py"

test_contract = ganbench.testing.cases(str(WRAPPER))

DATA = '''
import torch
from sklearn.datasets import load_digits

import ganbench

class Digits16:
    """Handwritten digits at twice their size."""

    spec = ganbench.DataSpec("images", (1, 16, 16), value_range=(-1.0, 1.0), classes=10)

    def training(self):
        return self._part(slice(1200))

    def held_out(self):
        return self._part(slice(1200, None))

    def _part(self, rows):
        digits = load_digits()
        x = torch.tensor(digits.images[rows] / 8 - 1, dtype=torch.float32).unsqueeze(1)
        doubled = torch.nn.functional.interpolate(x, scale_factor=2)
        return ganbench.Batch(doubled, torch.tensor(digits.target[rows]))

@ganbench.hookimpl
def ganbench_datasets():
    yield ganbench.Component("digits-16", Digits16)
'''

SUITE = """
seeds = 1
datasets = ["digits-16"]
metrics = ["sliced-wasserstein"]
reports = ["csv"]
executor = { name = "inline", threads = 1 }

[training]
steps = 20
batch_size = 16
observations = 3

[evaluation]
at = [1.0]
samples = 100

[methods.theirs]
loss = "torchgan"
generator = "torchgan-dcgan"
discriminator = "torchgan-dcgan"

[methods.their-networks]
loss = "hinge"
regularizers = ["r1"]
generator = "torchgan-dcgan"
discriminator = "torchgan-dcgan"

[methods.their-loss]
loss = { name = "torchgan", kind = "LeastSquares" }
generator = { name = "conv", width = 8 }
discriminator = { name = "conv", width = 8 }

[methods.ours]
loss = "hinge"
generator = { name = "conv", width = 8 }
discriminator = { name = "conv", width = 8 }
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """Run torchgan's components and ours; the data set is another plugin, in the working directory."""
    here, suites = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("suites")
    (here / "ganbench_plugins.py").write_text(DATA, encoding="utf-8")
    (suites / "ganbench_plugins.py").write_bytes(WRAPPER.read_bytes())
    (suites / "foreign.toml").write_text(SUITE, encoding="utf-8")
    line = [sys.executable, "-m", "ganbench", "run", "--suite", str(suites / "foreign.toml"), "--output", "out"]
    environment = {**os.environ, "GANBENCH_PLUGINS": ""}
    result = subprocess.run(line, cwd=here, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return here / "out"


def test_the_wrapper_has_at_most_forty_lines():
    assert len(WRAPPER.read_text(encoding="utf-8").splitlines()) <= 40


def test_the_library_is_as_published_and_independent_of_ganbench():
    assert version("torchgan") == "0.1.0"
    sources = Path(torchgan.models.__file__).parents[1].rglob("*.py")
    assert not any("ganbench" in source.read_text(encoding="utf-8") for source in sources)


def test_its_networks_and_losses_are_trained_beside_ours(run):
    trials = pd.read_csv(run / "report/trials.csv").set_index("method")
    assert dict(trials["status"]) == dict.fromkeys(["theirs", "their-networks", "their-loss", "ours"], "done")
    assert (trials["steps"] == 20).all()
    scores = pd.read_csv(run / "report/scores.csv")
    assert set(scores["method"]) == set(trials.index)
    assert scores["value"].notna().all()


def test_results_record_the_origins_of_the_components(run):
    trials = pd.read_csv(run / "report/trials.csv").set_index("method")
    origins = json.loads((run / "trials" / trials.loc["theirs", "trial"] / "result.json").read_text())["origins"]
    for part in ("generator torchgan-dcgan", "discriminator torchgan-dcgan", "loss torchgan"):
        assert origins[part].startswith("ganbench_plugins.py ")


@pytest.mark.parametrize("kind", ["Minimax", "LeastSquares", "Wasserstein"])
def test_the_losses_are_torchgans_own(kind):
    (loss,) = (c for c in ganbench.testing.select_candidates([str(WRAPPER)]) if c.entry.kind == "loss")
    real, fake = (ganbench.Batch(torch.randn(8)) for _ in range(2))
    built = loss.build(kind=kind)
    of_d, of_g = (getattr(torchgan.losses, f"{kind}{player}Loss")() for player in ("Discriminator", "Generator"))
    assert torch.equal(built.discriminator(lambda b: b.x, real, fake), of_d(real.x, fake.x))
    assert torch.equal(built.generator(lambda b: b.x, real, fake), of_g(fake.x))
