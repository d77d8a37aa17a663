"""Measure what checkpoints cost, and kill trials at random moments.

    python benchmarks/checkpoints.py [--repeats 5] [--kills 100] [--every 20]

For each case: the ratio of time of steps with checkpoints that are not due to steps without them, side by side and in
turns; how long saving takes and how many bytes; and the share of the time that it takes at the default interval. Then
trials are killed with SIGKILL at random moments and gone on with, each in a process that is forked for it, until they
end; their files are compared with those of trials that were not, and the steps that a kill cost are counted. The exit
code is 1 if a file differs in more than timings, or a kill cost more than the steps between two checkpoints.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import signal
import struct
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
import torch

from ganbench import trial as trials
from ganbench.contract.records import Checkpoints, Trial
from ganbench.pipeline import describe_data
from ganbench.registry.registry import load_registry
from ganbench.results.checkpoints import Checkpoint, CheckpointFolder, identify
from ganbench.results.trial_files import write_trial
from ganbench.suite import expand
from ganbench.suite.parse import parse_suite
from ganbench.training.checkpoint import INTERVAL_SECONDS, MAX_SHARE, Checkpointer
from ganbench.training.game import GAN
from ganbench.training.seeding import deterministic

if TYPE_CHECKING:
    from ganbench.contract.updates import GameInTraining

BATCH_NORM = {"name": "conv", "width": 16, "normalization": "batch"}
LAZY = [{"name": "r1", "every": 4}, {"name": "lecam", "start": 20}, {"name": "path-length", "every": 8}]
SUITE = {
    "metrics": ["energy-distance"],
    "seeds": 1,
    "training": {"ema": 0.99},
    "evaluation": {"samples": 500},
    "datasets": {
        "ring": {
            "dataset": {"name": "ring", "sigma": 0.05},
            "methods": ["small", "wide"],
            "steps": 1500,
            "batch_size": 64,
        },
        "digits": {"steps": 300, "batch_size": 32},
    },
    "methods": {
        "small": {
            "loss": "hinge",
            "regularizers": [{"name": "r1", "every": 4}],
            "points": {"generator": "mlp", "discriminator": "mlp"},
            "images": {"generator": {"name": "conv", "width": 16}, "discriminator": BATCH_NORM},
        },
        # Batch normalization and classes in both networks; ADA's probability moves at every fourth step.
        "conditional": {
            "loss": "ac",
            "regularizers": LAZY,
            "augmentation": {"name": "ada", "target": 0.3, "speed": 2000},
            "images": {
                "generator": {"name": "conv", "width": 16, "conditional": True},
                "discriminator": {**BATCH_NORM, "auxiliary": "classes"},
            },
        },
        "wide": {
            "loss": "hinge",
            "points": {
                "generator": {"name": "mlp", "width": 1500},
                "discriminator": {"name": "mlp", "width": 1500},
            },
            "images": {"generator": {"name": "conv", "width": 96}, "discriminator": {"name": "conv", "width": 96}},
        },
    },
}
KILLED = ("small", "conditional")
TURN_STEPS, TURNS = 20, 10
TIMINGS = ("seconds", "train_seconds")


def measure_cost(job: Trial, repeats: int) -> str:
    """Return what checkpoints of a trial cost, in a line."""
    registry, cpu = load_registry(), torch.device("cpu")
    with deterministic(cpu, threads=1), tempfile.TemporaryDirectory() as name:
        run = trials.LiveTrial.build(job, registry.build("dataset", job.components.dataset), registry, cpu)
        checkpointer = Checkpointer(run.gan, Checkpoints(name, minutes=1e6), lambda: None, click.echo)
        run.gan.step()
        run.loop.finite = run.gan.state_dict()
        ratios = [_ratio(run.gan, checkpointer) for _ in range(repeats)]
        folder = CheckpointFolder(Path(name), identify(job, registry.origins(job)))
        costs = []
        for _ in range(repeats):
            began = time.perf_counter()
            path = folder.save(Checkpoint(1, 0.0, 1, run.state_dict()))
            costs.append(time.perf_counter() - began)
        size = sum(file.stat().st_size for file in path.iterdir())
    cost = float(np.median(costs))
    share = cost / (max(INTERVAL_SECONDS, cost / MAX_SHARE) + cost)
    return (
        f"{job.dataset}, {job.method}: a step that asks {float(np.median(ratios)):.4f} of the time of one that does not "
        f"({min(ratios):.4f} to {max(ratios):.4f}); saving {cost * 1e3:.0f} ms ({min(costs) * 1e3:.0f} to "
        f"{max(costs) * 1e3:.0f}), {size / 1e6:.1f} MB; {share:.3%} of the time at the default interval"
    )


def _ratio(gan: GAN, checkpointer: Checkpointer) -> float:
    """CPU time of steps that ask whether a checkpoint is due, over that of steps that do not."""
    spent = [0.0, 0.0]
    for _ in range(TURNS):
        for asks in (0, 1):
            began = time.thread_time()
            for _ in range(TURN_STEPS):
                if asks:
                    checkpointer.before_step()
                gan.step()
            spent[asks] += time.thread_time() - began
    return spent[1] / spent[0]


# --- kills -------------------------------------------------------------------------------------------


def kill_at_random(job: Trial, kills: int, every: int) -> tuple[bool, str]:
    """Kill a trial so many times, run after run; return whether its files are those of one that was not, and a line."""
    moments = random.Random(job.id)
    hits, runs, different = 0, 0, set[str]()
    lost: list[int] = []  # steps, by the kill before each start of training
    with tempfile.TemporaryDirectory() as name, _shared_counter() as counter:
        whole = Path(name) / "whole"
        # What a trial imports is imported once, so that most of a child's life is training.
        trials.run_trial(replace(job, training=replace(job.training, steps=2)), threads=1)
        began = time.monotonic()
        _end(_fork(job, whole))
        longest = (time.monotonic() - began) / 4
        while hits < kills:
            runs += 1
            killed, reached = Path(name) / f"killed-{runs}", 0
            saved = replace(job, checkpoints=Checkpoints(str(killed / "checkpoints"), steps=every))
            while hits < kills:
                child = _fork(saved, killed, counter)
                if moments.random() < 0.8:  # from when it trains on; the others are killed as they start, too
                    _wait_for_training(child, counter)
                time.sleep(moments.uniform(0.0, longest))
                if not _kill(child):
                    break  # it has ended
                hits += 1
                done, began_at = counter.read()
                if began_at >= 0:  # it had got to training, from what the kill before had left
                    if reached:
                        lost.append(reached - began_at)
                    reached = done
            if not (killed / "trial").is_dir():
                _end(_fork(saved, killed))
            different |= _differences(whole / "trial", killed / "trial")
    outcome = "identical" if not different else f"DIFFERENT: {', '.join(sorted(different))}"
    most = max(lost, default=0)
    trained = f"{len(lost)} of them in training, each at most {most} steps of {every}{' ALLOWED' * (most > every)}"
    line = f"{job.dataset}, {job.method}: {hits} kills in {runs} runs, {trained} lost; files {outcome}"
    return not different and most <= every, line


class _Counter:
    """The steps that a child has done and those that it began with, where its parent can read them after its death."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory

    def write(self, done: int, began_at: int) -> None:
        self._memory[:16] = struct.pack("qq", done, began_at)

    def read(self) -> tuple[int, int]:
        done, began_at = struct.unpack("qq", self._memory[:16])
        return done, began_at


class _shared_counter:
    def __enter__(self) -> _Counter:
        self._memory = mmap.mmap(-1, 16)
        return _Counter(self._memory)

    def __exit__(self, *_: object) -> None:
        self._memory.close()


def _fork(job: Trial, output: Path, counter: _Counter | None = None) -> int:
    """Run a trial in a process of its own, in a group of its own; return its id."""
    if counter is not None:
        counter.write(0, -1)
    child = os.fork()
    if child:
        return child
    try:
        os.setpgid(0, 0)
        if counter is not None:
            _count_steps(counter)
        write_trial(output / "trial", trials.run_trial(job, threads=1))
        os._exit(0)
    finally:
        os._exit(1)


def _count_steps(counter: _Counter) -> None:
    step = GAN.step
    run: list[tuple[GAN, int]] = []  # the trial's game, not one that a diagnosis forks, and the steps it began with

    def counted(gan: GAN, seen_as: GameInTraining | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        if not run:
            run.append((gan, gan.steps_done))
        losses = step(gan, seen_as)
        if gan is run[0][0]:
            counter.write(gan.steps_done, run[0][1])
        return losses

    GAN.step = counted  # type: ignore[method-assign, assignment]


def _wait_for_training(child: int, counter: _Counter) -> None:
    while counter.read()[1] < 0 and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(0.005)


def _kill(child: int) -> bool:
    """Kill a child with all of its group; return whether it was still running."""
    ended, _ = os.waitpid(child, os.WNOHANG)
    if ended:
        return False
    os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _end(child: int) -> None:
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError(f"a trial ended its process with {status}")


def _differences(ours: Path, theirs: Path) -> set[str]:
    """The files of two stored trials that differ in more than timings."""
    names = {path.name for folder in (ours, theirs) for path in folder.iterdir()}
    return {name for name in names if _content(ours / name) != _content(theirs / name)}


def _content(path: Path) -> object:
    if not path.is_file():
        return None
    if path.name == "result.json":
        return {key: value for key, value in json.loads(path.read_bytes()).items() if key not in TIMINGS}
    if path.name == "scores.csv":
        head, *rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
        return [[cell for key, cell in zip(head, row, strict=True) if key not in TIMINGS] for row in [head, *rows]]
    return path.read_bytes()


@click.command()
@click.option("--repeats", default=5, show_default=True, help="Measurements of each ratio and of saving.")
@click.option("--kills", default=100, show_default=True, help="Of each trial that is killed; 0 for none.")
@click.option("--every", default=20, show_default=True, help="Steps between two checkpoints of trials that are killed.")
def main(repeats: int, kills: int, every: int) -> None:
    """Print the cost of checkpoints, and whether trials that are killed end as trials that are not."""
    registry = load_registry()
    suite = parse_suite(SUITE, Path("benchmark.toml"))
    jobs = expand.expand(suite, registry, describe_data(suite, registry))
    for job in jobs if repeats else ():
        click.echo(measure_cost(job, repeats))
    fine = True
    for job in jobs if kills else ():
        if job.method in KILLED:
            same, line = kill_at_random(job, kills, every)
            click.echo(line)
            fine = fine and same
    if not fine:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
