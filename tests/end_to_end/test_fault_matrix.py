"""Faults of a plugin affect its own trials alone: healthy methods end bit-identical to a run without it.

A method that cannot take a single step is refused before anything is trained.

The default tests have all faults in one suite; `pytest -m slow tests/end_to_end/test_fault_matrix.py` runs each alone
with two healthy methods.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from ganbench.contract.records import TrialResult
from ganbench.results.store import Store

FOLDER = Path(__file__).parent

SUITE = """
seeds = 1
metrics = ["energy-distance"]
executor = { name = "processes", workers = 1, threads = 1, memory = 3 }
reports = ["csv"]
[datasets.ring]
dataset = { name = "ring", sigma = 0.05, size = 5000, held_out = 1000 }
[training]
steps = 100
batch_size = 16
timeout = 60
[evaluation]
at = [1.0]
samples = 200
[methods.first]
loss = "hinge"
generator = { name = "mlp", width = 16 }
discriminator = { name = "mlp", width = 16 }
"""

HEALTHY = """
[methods.last]
loss = "non-saturating"
generator = { name = "mlp", width = 16 }
discriminator = { name = "mlp", width = 16 }
"""

FAULTY = """
[methods.{fault}]
loss = "{loss}"
generator = {generator}
discriminator = {{ name = "mlp", width = 16 }}
{settings}
"""

# The status of the trial, and words of its reason.
IN_A_TRIAL = {
    "raises-at-step-500": ("error", "RuntimeError: failed at step 500 (ganbench_plugins.py"),
    "not-a-number": ("diverged", "not finite since step 1"),
    "exits": ("error", "SystemExit: 3"),
    "dies": ("error", "the worker died: exit code 7"),
    "crashes": ("error", "the worker died: killed by SIG"),
    "hangs": ("timeout", "not done after 4 s"),
    "floods": ("done", ""),
    "seeds": ("done", ""),
    "threads": ("done", ""),
    "settings": ("done", ""),
    "another-type": ("error", "must have the same dtype"),
    "forks": ("error", "the worker died: exit code 8"),
    "allocates": ("error", "memory"),
    "leaves-a-thread": ("done", ""),
    "closes-output": ("done", ""),
    "changes-folder": ("done", ""),
}

# What cannot take a single step, and words of the line that refuses the run.
BEFORE_TRIALS = {
    "raises-in-build": "loss 'raises-in-build': cannot be built",
    "wrong-shape": "generator 'wrong-shape' returns (8, 3) of float32, and (8, 2) of float32 is expected",
    "vector-loss": "loss 'vector-loss': VectorLoss returns (16,), and a scalar is expected",
    "wrong-device": "generator 'wrong-device' returns a tensor on meta, and it is trained on cpu",
    "float64": "generator 'float64' returns (8, 2) of float64",
}
GENERATORS = ("wrong-shape", "wrong-device", "float64")

# Code of a plugin that cannot be loaded, and words of the message.
AT_LOADING = {
    "import": ("raise RuntimeError('at import')", "RuntimeError: at import"),
    "import_exits": ("import sys\nsys.exit(3)", "SystemExit: 3"),
    "import_changes_settings": (
        "import torch, random\ntorch.set_num_threads(2)\ntorch.set_default_dtype(torch.float64)\n"
        "torch.manual_seed(0)\nrandom.seed(0)\nprint('a flood\\n' * 100_000)\nraise ValueError('changed settings')",
        "ValueError: changed settings",
    ),
    "registration": (
        "import ganbench\n@ganbench.hookimpl\ndef ganbench_losses():\n    raise ValueError('at registration')\n",
        "ValueError: at registration",
    ),
    "registration_exits": (
        "import ganbench, sys\n@ganbench.hookimpl\ndef ganbench_losses():\n    sys.exit(4)\n",
        "SystemExit: 4",
    ),
    "second_hook": (
        "import ganbench\n@ganbench.hookimpl\ndef ganbench_losses():\n    yield ganbench.Component('twice', object)\n"
        "@ganbench.hookimpl\ndef ganbench_metrics():\n    raise ValueError('at its second hook')\n",
        "ValueError: at its second hook",
    ),
    "listener_exits": (
        "import ganbench, sys\n@ganbench.hookimpl\ndef ganbench_event(event):\n    sys.exit(5)\n",
        "SystemExit: 5",
    ),
    "no_such_hook": (
        "import ganbench\n@ganbench.hookimpl\ndef ganbench_loses():\n    return []\n",
        "there is no hook 'ganbench_loses'; did you mean 'ganbench_losses'?",
    ),
    "newer_contract": ("ganbench_contract = 99", "made for plugin contract 99"),
    "gone": (None, "No module named 'plugin_gone'"),
    "one_name": (
        "import ganbench\nclass A:\n    '''A loss.'''\n@ganbench.hookimpl\ndef ganbench_losses():\n"
        "    yield ganbench.Component('twice', A)\n",
        "two plugins offer a loss called 'twice': ",
    ),
}
AT_LOADING["same_name"] = AT_LOADING["one_name"]


def run(folder: Path, suite: str, site: Path | None = None) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Run a suite with the plugins of `site`; return the process and the folder of its results."""
    folder.mkdir(exist_ok=True)
    (folder / "faults.toml").write_text(suite, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(site) if site else ""}
    line = [sys.executable, "-m", "ganbench", "run", "--suite", "faults.toml", "--output", "out"]
    process = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return process, folder / "out"


def results(output: Path) -> dict[str, TrialResult]:
    results, damaged = Store(output).results()
    assert not damaged
    return {result.trial.method: result for result in results}


def method(fault: str) -> str:
    settings = {"hangs": "timeout = 4", "raises-at-step-500": "steps = 520"}.get(fault, "")
    if fault in GENERATORS:
        return FAULTY.format(fault=fault, loss="hinge", generator=f'"{fault}"', settings=settings)
    return FAULTY.format(fault=fault, loss=fault, generator='{ name = "mlp", width = 16 }', settings=settings)


def assert_same_where_healthy(output: Path, unaffected: Path) -> None:
    ours, theirs = results(output), results(unaffected)
    for name in ("first", "last"):
        assert ours[name].status == "done", ours[name].reason
        one, other = (
            folder / "trials" / results_of_run[name].trial.id
            for folder, results_of_run in ((output, ours), (unaffected, theirs))
        )
        assert one.name == other.name
        assert (one / "weights.safetensors").read_bytes() == (other / "weights.safetensors").read_bytes()
        pd.testing.assert_frame_equal(
            pd.read_parquet(one / "history.parquet"), pd.read_parquet(other / "history.parquet"), check_exact=True
        )
        assert [(s.metric, s.value) for s in ours[name].scores] == [(s.metric, s.value) for s in theirs[name].scores]


@pytest.fixture(scope="module")
def unaffected(tmp_path_factory) -> Path:
    """Run the two healthy methods alone."""
    process, output = run(tmp_path_factory.mktemp("unaffected"), SUITE + HEALTHY)
    assert process.returncode == 0, process.stderr
    return output


def run_with_faults(faults: list[str], folder: Path, unaffected: Path) -> None:
    """Run faulty methods between the two healthy ones, in one worker as long as it lives, and check all results."""
    folder.mkdir(exist_ok=True)
    (folder / "ganbench_plugins.py").write_bytes((FOLDER / "faulty_components.py").read_bytes())
    process, output = run(folder, SUITE + "".join(method(fault) for fault in faults) + HEALTHY)
    trials_by_method = results(output)
    for fault in faults:
        status, words = IN_A_TRIAL[fault]
        assert (trials_by_method[fault].status, words in trials_by_method[fault].reason) == (status, True), (
            trials_by_method[fault].reason
        )
    assert_same_where_healthy(output, unaffected)
    assert process.returncode == int(any(IN_A_TRIAL[fault][0] in ("error", "timeout") for fault in faults))
    assert len(process.stdout) + len(process.stderr) < 20_000
    trials = pd.read_csv(output / "report" / "trials.csv").set_index("method")
    assert set(trials.index) == {"first", "last", *faults}
    if "floods" in faults:
        kept = (output / "trials" / trials_by_method["floods"].trial.id / "output.txt").read_text()
        assert len(kept) <= 4000 and kept.endswith("the last line\n")


@pytest.mark.timeout(280)
def test_faults_in_trials_do_not_affect_the_others(tmp_path, unaffected):
    run_with_faults(list(IN_A_TRIAL), tmp_path / "all", unaffected)


@pytest.mark.slow
@pytest.mark.parametrize("fault", IN_A_TRIAL)
def test_each_fault_in_a_trial_alone(tmp_path, unaffected, fault):
    run_with_faults([fault], tmp_path / "alone", unaffected)


@pytest.mark.parametrize("fault", BEFORE_TRIALS)
def test_a_fault_at_the_first_step_is_said_before_anything_is_trained(tmp_path, say_here, fault):
    (tmp_path / "ganbench_plugins.py").write_bytes((FOLDER / "faulty_components.py").read_bytes())
    (tmp_path / "faults.toml").write_text(SUITE + method(fault) + HEALTHY, encoding="utf-8")
    said = say_here("run", "--suite", "faults.toml", "--output", "out")
    assert said.code == 2 and len(said.err.splitlines()) == 1
    assert f"method '{fault}' on 'ring': {BEFORE_TRIALS[fault]}" in said.first_line
    assert not (tmp_path / "out").exists()


def install_plugins(names: list[str], site: Path) -> None:
    """Write distributions with entry points, as an installer does."""
    for name in names:
        code, _ = AT_LOADING[name]
        if code is not None:
            (site / f"plugin_{name}.py").write_text(code, encoding="utf-8")
        info = site / f"plugin_{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plugin-{name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[ganbench]\n{name} = plugin_{name}\n")


def run_with_broken_plugins(names: list[str], folder: Path, unaffected: Path) -> None:
    """Run a method with a loss of a broken plugin between the two healthy ones, and check all results."""
    site = folder / "site"
    site.mkdir(parents=True)
    install_plugins(names, site)
    method_without_loss = FAULTY.format(
        fault="unavailable", loss="twice", generator='{ name = "mlp", width = 16 }', settings=""
    )
    listens = names == ["listener_exits"]  # it can be loaded, and has no loss
    process, output = run(folder, SUITE + ("" if listens else method_without_loss) + HEALTHY, site)
    trials_by_method = results(output)
    assert process.returncode == (0 if listens else 1)
    if not listens:
        assert trials_by_method["unavailable"].status == "error" and "'twice'" in trials_by_method["unavailable"].reason
    for name in names:
        assert AT_LOADING[name][1] in process.stderr
    assert process.stdout.count("a flood") == 0
    assert_same_where_healthy(output, unaffected)


def test_plugins_that_cannot_be_loaded_do_not_affect_the_others(tmp_path, unaffected):
    run_with_broken_plugins(list(AT_LOADING), tmp_path / "all", unaffected)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in AT_LOADING if name != "same_name"])
def test_each_plugin_that_cannot_be_loaded_alone(tmp_path, unaffected, name):
    run_with_broken_plugins(["one_name", "same_name"] if name == "one_name" else [name], tmp_path / "alone", unaffected)
