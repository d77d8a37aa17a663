"""Suites of short trials, some of which fail, and what a run of them must leave, wherever it ran."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PLUGIN = '''
import os, signal, time
import ganbench
from torch.nn.functional import softplus


class Failing:
    """Non-saturating; at its fifth call, a share of the seeds fails, each always in the same way.

    Args:
        raises: Percent that raise.
        dies: Percent that kill their process.
        hangs: Percent that never return.
    """

    def __init__(self, *, raises: int = 0, dies: int = 0, hangs: int = 0) -> None:
        self.shares = raises, raises + dies, raises + dies + hangs
        self.calls = 0

    def discriminator(self, d, real, fake):
        self.calls += 1
        if self.calls == 5:
            fate = int(1e4 * real.x.double().abs().sum().item()) % 100
            if fate < self.shares[0]:
                raise RuntimeError(f"failed at its fifth call, with {fate}")
            if fate < self.shares[1]:
                os.kill(os.getpid(), signal.SIGKILL)
            if fate < self.shares[2]:
                time.sleep(600)
        return softplus(-d(real)).mean() + softplus(d(fake)).mean()

    def generator(self, d, real, fake):
        return softplus(-d(fake)).mean()


class Slow(Failing):
    """Non-saturating, and each step waits.

    Args:
        seconds: How long.
        until: A file; once it is there, no step waits.
    """

    def __init__(self, *, seconds: float = 0.1, until: str = "") -> None:
        super().__init__()
        self.seconds = seconds
        self.until = until

    def discriminator(self, d, real, fake):
        if not self.until or not os.path.exists(self.until):
            time.sleep(self.seconds)
        return super().discriminator(d, real, fake)


@ganbench.hookimpl
def ganbench_losses():
    yield ganbench.Component("failing", Failing)
    yield ganbench.Component("slow", Slow)
'''
SUITE = """
name = "cluster"
summary = "Short trials."
datasets = ["ring"]
metrics = ["modes"]
reports = ["csv"]
seeds = {seeds}
training = {{ steps = {steps}, batch_size = 32, observations = 10, timeout = {timeout} }}
evaluation = {{ at = [1.0], samples = 200 }}
checkpoints = {{ steps = 5 }}
executor = {executor}
[methods]
"""
METHOD = (
    '{} = {{ loss = {}, generator = {{ name = "mlp", width = 16 }}, discriminator = {{ name = "mlp", width = 16 }} }}\n'
)
TIMINGS = {"seconds", "train_seconds", "seconds_per_step"}
OF_THE_RUN = {"executor", "command"}


def write_suite(
    folder: Path,
    executor: str,
    losses: Mapping[str, str],
    seeds: int = 3,
    steps: int = 20,
    timeout: float = 60.0,
) -> Path:
    """Write a suite with a method for each loss, and the plugin beside it; return its path.

    Args:
        folder: Where.
        executor: The executor, as TOML.
        losses: The loss of each method, as TOML.
        seeds: Seeds of each.
        steps: Steps of each trial.
        timeout: Seconds that a trial may take.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ganbench_plugins.py").write_text(PLUGIN, encoding="utf-8")
    head = SUITE.format(seeds=seeds, steps=steps, timeout=timeout, executor=executor)
    (folder / "suite.toml").write_text(
        head + "".join(METHOD.format(*item) for item in losses.items()), encoding="utf-8"
    )
    return folder / "suite.toml"


def _handle_sigint() -> None:
    """A background job ignores SIGINT, and so do tests that run in one: a run must not inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start_run(suite: Path, output: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start `ganbench run`."""
    return subprocess.Popen(
        [sys.executable, "-m", "ganbench", "run", str(suite), "--output", str(output), *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        cwd=suite.parent,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=_handle_sigint,
    )


def run_suite(
    suite: Path, output: Path, *arguments: str, timeout: float = 280.0, **environment: str
) -> tuple[int, str]:
    """Run `ganbench run` to its end; return its exit code and all that it printed."""
    process = start_run(suite, output, *arguments, **environment)
    try:
        printed, _ = process.communicate(timeout=timeout)
    finally:
        process.kill()
    return process.returncode, printed


def statuses(output: Path) -> dict[str, str]:
    """Return how each stored trial ended, by method and seed."""
    found = {}
    for folder in (output / "trials").iterdir():
        trial = json.loads((folder / "trial.json").read_text())
        result = json.loads((folder / "result.json").read_text())
        found[f"{trial['method']} {trial['seed']}"] = result["status"]
    return dict(sorted(found.items()))


def reason_of(output: Path, method: str, seed: int) -> str:
    """Return why a stored trial ended as it did."""
    for folder in (output / "trials").iterdir():
        trial = json.loads((folder / "trial.json").read_text())
        if (trial["method"], trial["seed"]) == (method, seed):
            return json.loads((folder / "result.json").read_text())["reason"]
    raise AssertionError(f"no trial of {method} with seed {seed}")


def numbers(output: Path) -> dict[str, Any]:
    """Return the rows of all CSV files of a run without timings, by file: reports and the scores of trials."""
    files = [*sorted(output.glob("report/**/*.csv")), *sorted(output.glob("trials/*/scores.csv"))]
    return {str(file.relative_to(output)): _rows(file) for file in files}


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as content:
        rows = list(csv.DictReader(content))
    return [{k: v for k, v in row.items() if k not in TIMINGS} for row in rows]


def seconds_of_trials(output: Path) -> float:
    """Return the seconds that the stored trials of a run took, all together."""
    files = output.glob("trials/*/result.json")
    return sum(json.loads(file.read_text())["seconds"] for file in files)
