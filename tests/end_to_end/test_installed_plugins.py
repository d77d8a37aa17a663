"""A plugin distribution, built as a wheel and installed, is found by its entry point and trains beside built-ins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

EXAMPLE = Path(__file__).parents[2] / "plugins" / "ganbench-example"

SUITE = """
seeds = 1
metrics = ["energy-distance"]
datasets = ["ring"]
[training]
steps = 20
batch_size = 32
[evaluation]
samples = 100
[methods.theirs]
loss = { name = "example", margin = 0.5 }
generator = "mlp"
discriminator = "mlp"
[methods.ours]
loss = "hinge"
generator = "mlp"
discriminator = "mlp"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder with the example's wheel installed in it."""
    folder = tmp_path_factory.mktemp("site")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "-q",
        "--no-deps",
        "--no-build-isolation",
    ]
    subprocess.run([*pip, "--target", str(folder), str(EXAMPLE)], check=True, capture_output=True)
    return folder


def ganbench(site: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    line = [sys.executable, "-m", "ganbench", *arguments]
    return subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_it_is_listed_with_its_distribution_and_version(site, tmp_path):
    (entry,) = [
        e for e in json.loads(ganbench(site, tmp_path, "list", "loss", "--json").stdout) if e["name"] == "example"
    ]
    assert (entry["distribution"], entry["version"]) == ("ganbench-example", "0.1.0")
    assert entry["options"] == [{"name": "margin", "type": "float", "default": 1.0}]


def test_it_trains_in_a_suite_beside_built_ins_and_is_on_record(site, tmp_path):
    (tmp_path / "both.toml").write_text(SUITE)
    said = ganbench(site, tmp_path, "run", "--suite", "both.toml", "--output", "out", "--workers", "1")
    assert said.returncode == 0, said.stderr
    trials = pd.read_csv(tmp_path / "out/report/trials.csv").set_index("method")
    assert list(trials.loc[["theirs", "ours"], "status"]) == ["done", "done"]
    made_by = json.loads((tmp_path / "out/trials" / trials.loc["theirs", "trial"] / "result.json").read_text())[
        "origins"
    ]
    assert made_by["loss example"] == "ganbench-example 0.1.0"
