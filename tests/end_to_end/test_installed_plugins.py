"""A third-party wheel, installed in a new virtual environment, trains beside built-ins; so does its file alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pandas as pd
import pytest

import ganbench

THIRD_PARTY = Path(__file__).parent / "third_party"
COMPONENTS = {"generator": "sine", "loss": "exponential", "dataset": "moons"}

SUITE = """
seeds = 1
executor = { name = "processes", workers = 1, threads = 1 }
reports = ["csv"]
metrics = ["energy-distance"]
datasets = ["moons", "ring"]
[training]
steps = 20
batch_size = 32
[evaluation]
samples = 100
[methods.theirs]
loss = { name = "exponential", bound = 2.0 }
generator = { name = "sine", width = 16 }
discriminator = "mlp"
[methods.ours]
loss = "hinge"
generator = "mlp"
discriminator = "mlp"
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(THIRD_PARTY, folder / "source")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
    ]
    subprocess.run([*pip, "-w", str(folder), str(folder / "source")], check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(tmp_path_factory, wheel) -> Path:
    """Return the interpreter of a new environment with the wheel; torch and ganbench come from this environment."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    shared = [sysconfig.get_path("purelib"), str(Path(ganbench.__file__).parents[1])]
    (packages / "shared.pth").write_text("\n".join(shared) + "\n")
    interpreter = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(interpreter), "install", "-q"]
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True, capture_output=True)
    return interpreter


def run_ganbench(python: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GANBENCH", "PYTHONPATH"))}
    line = [str(python), "-m", "ganbench", *arguments]
    return subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def check_list(python: Path, cwd: Path, distribution: str) -> None:
    listed = json.loads(run_ganbench(python, cwd, "list", "--json").stdout)
    offered = {e["kind"]: e for e in listed if e["distribution"] == distribution}
    assert {kind: entry["name"] for kind, entry in offered.items()} == COMPONENTS
    assert offered["loss"]["options"] == [{"name": "bound", "type": "float", "default": 3.0}]


def check_results(python: Path, cwd: Path, origin: str) -> None:
    (cwd / "both.toml").write_text(SUITE)
    process = run_ganbench(python, cwd, "run", "--suite", "both.toml", "--output", "out")
    assert process.returncode == 0, process.stderr
    trials = pd.read_csv(cwd / "out/report/trials.csv")
    assert set(trials.status) == {"done"} and len(trials) == 4
    theirs = trials[(trials.method == "theirs") & (trials.dataset == "moons")].iloc[0]
    assert (theirs.generator, theirs.loss) == ("sine", "exponential")
    origins = json.loads((cwd / "out/trials" / theirs.trial / "result.json").read_text())["origins"]
    assert {origins[f"{kind} {name}"] for kind, name in COMPONENTS.items()} == {origin}
    assert set(pd.read_csv(cwd / "out/report/comparison.csv").method) == {"theirs", "ours"}


def test_a_wheel_in_a_new_environment_is_listed_trained_and_recorded(python, tmp_path):
    check_list(python, tmp_path, "moons-gan")
    plugins = {p["plugin"]: p for p in json.loads(run_ganbench(python, tmp_path, "plugins", "--json").stdout)}
    assert plugins["moons"]["version"] == "2.3.0"
    assert plugins["moons"]["hooks"] == ["ganbench_datasets", "ganbench_generators", "ganbench_losses"]
    check_results(python, tmp_path, "moons-gan 2.3.0")


def test_the_same_code_as_one_local_file_does_the_same(tmp_path):
    shutil.copy(THIRD_PARTY / "moons_gan.py", tmp_path / "ganbench_plugins.py")
    here = Path(sys.executable)
    check_list(here, tmp_path, "ganbench_plugins.py")
    (origin,) = {
        f"{e['distribution']} {e['version']}"
        for e in json.loads(run_ganbench(here, tmp_path, "list", "loss", "--json").stdout)
        if e["name"] == "exponential"
    }
    check_results(here, tmp_path, origin)


def test_a_stored_trial_is_reused_only_with_the_same_versions(tmp_path):
    shutil.copy(THIRD_PARTY / "moons_gan.py", tmp_path / "ganbench_plugins.py")
    (tmp_path / "both.toml").write_text(SUITE.replace('"moons", "ring"', '"moons"'))
    run = ("run", "--suite", "both.toml", "--output", "out")
    here = Path(sys.executable)
    assert run_ganbench(here, tmp_path, *run).returncode == 0
    assert "0 trials to do, 2 kept" in run_ganbench(here, tmp_path, *run, "--dry-run").stdout
    with (tmp_path / "ganbench_plugins.py").open("a") as file:
        file.write("\n# a later version\n")
    process = run_ganbench(here, tmp_path, *run, "--dry-run")
    assert "2 trials to do, 0 kept" in process.stdout
    assert "came from ganbench_plugins.py " in process.stderr and "is rerun" in process.stderr


def test_its_components_pass_the_contract_checks(tmp_path):
    shutil.copy(THIRD_PARTY / "moons_gan.py", tmp_path / "theirs.py")
    process = run_ganbench(Path(sys.executable), tmp_path, "check", "theirs.py")
    assert process.returncode == 0, process.stdout
    assert "3 components" in process.stdout and "failed" not in process.stdout
