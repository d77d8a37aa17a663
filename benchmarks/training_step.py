"""Measure our training against a bare PyTorch loop of the same networks, loss and batch size.

    python benchmarks/training_step.py [--repeats 5] [--device cpu|cuda]

The loops train side by side in one process and take turns of some steps each, so that a machine whose speed drifts drifts
for all. Prints the median ratio of steps alone, and those of whole trainings, which observe as well: CPU time of the
thread, or on a GPU wall-clock time with a synchronization at the end of each turn. The bare loop is written as well as we
can, with a frozen player and fused optimizers, so that a ratio near 1 means something.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import torch
from torch import nn

from ganbench import trial
from ganbench.contract.records import Trial
from ganbench.pipeline import describe_data
from ganbench.registry.registry import load_registry
from ganbench.suite import expand
from ganbench.suite.parse import parse_suite
from ganbench.training.loop import train
from ganbench.training.schedule import Schedule
from ganbench.training.seeding import deterministic

SUITE = {
    "metrics": [],
    "seeds": 1,
    "datasets": {
        "ring": {"dataset": {"name": "ring", "sigma": 0.05}, "steps": 3000, "batch_size": 256},
        "digits": {"steps": 800, "batch_size": 64},
        "shapes": {
            "dataset": {"name": "shapes", "side": 32, "size": 2000, "held_out": 500},
            "steps": 200,
            "batch_size": 64,
        },
    },
    "methods": {
        "ns": {
            "loss": "non-saturating",
            "points": {"generator": "mlp", "discriminator": "mlp"},
            "images": {"generator": {"name": "conv", "width": 32}, "discriminator": {"name": "conv", "width": 32}},
        }
    },
}

TURNS, WARM_UP = 40, 10  # of steps alone: turns of each loop, and steps before the first
STEPS_OF_A_TURN = {"ring": 50, "digits": 10, "shapes": 2}
OBSERVING = ("with all diagnoses", "without diagnoses")  # what observing costs, by itself

Body = Callable[[Trial, torch.device, Callable[[], None]], None]


def bare_step(data: torch.Tensor, g: Any, d: nn.Module, batch_size: int) -> Callable[[], None]:
    """Return the step that one would write by hand for the non-saturating loss, on the device of `data`."""
    optimizer_g = torch.optim.Adam(g.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
    optimizer_d = torch.optim.Adam(d.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
    softplus, n, device = nn.functional.softplus, batch_size, data.device

    def step() -> None:
        real = data[torch.randint(len(data), (n,), device=device)]
        with torch.no_grad():
            fake = g(torch.randn(n, g.latent_dim, device=device))
        optimizer_d.zero_grad()
        (softplus(-d(real)).mean() + softplus(d(fake)).mean()).backward()
        optimizer_d.step()
        d.requires_grad_(False)
        optimizer_g.zero_grad()
        softplus(-d(g(torch.randn(n, g.latent_dim, device=device)))).mean().backward()
        optimizer_g.step()
        d.requires_grad_(True)

    return step


def build_bare(job: Trial, device: torch.device) -> Callable[[], None]:
    """Return the bare step of the same data, as floats in memory, networks and batch size."""
    registry, parts = load_registry(), job.components
    data = registry.build("dataset", parts.dataset).training().x.to(device)
    if data.dtype == torch.uint8:
        data = data.float().div_(127.5).sub_(1)
    g = registry.build("generator", parts.generator, job.data).to(device)
    d = registry.build("discriminator", parts.discriminator, job.data).to(device)
    return bare_step(data, g, d, job.training.batch_size)


def build_ours(job: Trial, device: torch.device) -> trial.LiveTrial:
    """Return a trial of ours, built and not trained."""
    registry = load_registry()
    return trial.LiveTrial.build(job, registry.build("dataset", job.components.dataset), registry, device)


def read_clock(device: torch.device) -> float:
    """Return seconds that this thread has worked, or on a GPU seconds, when all has been done that it launched."""
    if device.type != "cuda":
        return time.thread_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def compare_steps(job: Trial, device: torch.device) -> list[float]:
    """Return how many times as long as the bare loop's our steps took, in each pair of turns."""
    loops: list[Callable[[], object]] = [
        build_bare(job, device),
        build_ours(replace(job, diagnoses=()), device).gan.step,
    ]
    for step in loops:
        for _ in range(WARM_UP):
            step()
    ratios = []
    for turn in range(TURNS):
        seconds = [0.0, 0.0]
        for i in (0, 1) if turn % 2 else (1, 0):
            began = read_clock(device)
            for _ in range(STEPS_OF_A_TURN[job.dataset]):
                loops[i]()
            seconds[i] = read_clock(device) - began
        ratios.append(seconds[1] / seconds[0])
    return ratios


def train_bare(job: Trial, device: torch.device, pause: Callable[[], None]) -> None:
    """Train with the bare loop."""
    step = build_bare(job, device)
    stops = Schedule.of(job.training, job.evaluation).observe
    pause()
    for done in range(1, job.training.steps + 1):
        step()
        if done in stops:
            pause()


def train_ours(job: Trial, device: torch.device, pause: Callable[[], None]) -> None:
    """Train with our loop: the history always, the diagnoses of `job`; no evaluation, as the bare loop has none."""
    run = build_ours(job, device)
    schedule = replace(Schedule.of(job.training, job.evaluation), evaluate=frozenset(), evaluate_expensive=frozenset())
    pause()
    train(
        run.gan, schedule, run.observer, evaluate=lambda step, last: [], diagnose=list, progress=lambda s, row: pause()
    )


class Contender(threading.Thread):
    """A training that runs only while it is told to, and measures its own time; setting up does not count."""

    def __init__(self, body: Body, job: Trial, device: torch.device) -> None:
        super().__init__(daemon=True)
        self._body, self._job, self._device = body, job, device
        self._go, self._paused = threading.Event(), threading.Event()
        self.seconds: list[float] = []
        self.finished = False

    def run(self) -> None:
        self._go.wait()
        self._began = read_clock(self._device)
        self._body(self._job, self._device, self._pause)
        self._account()
        self.finished = True
        self._paused.set()

    def go_on(self) -> None:
        """Let it run to its next pause, or to its end."""
        self._paused.clear()
        self._go.set()
        self._paused.wait()

    def _pause(self) -> None:
        self._account()
        self._go.clear()
        self._paused.set()
        self._go.wait()
        self._began = read_clock(self._device)

    def _account(self) -> None:
        self.seconds.append(read_clock(self._device) - self._began)


def contend(job: Trial, device: torch.device) -> dict[str, float]:
    """Return the seconds of each contender for the same training, side by side."""
    contenders = {
        "bare": Contender(train_bare, job, device),
        "without diagnoses": Contender(train_ours, replace(job, diagnoses=()), device),
        "with all diagnoses": Contender(train_ours, job, device),
    }
    for contender in contenders.values():
        contender.start()
        contender.go_on()
    while running := [contender for contender in contenders.values() if not contender.finished]:
        for contender in running:
            contender.go_on()
    return {name: sum(contender.seconds[1:]) for name, contender in contenders.items()}


@click.command()
@click.option("--repeats", default=5, show_default=True, help="Trainings of each contender.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Where to train.")
def main(repeats: int, device: str) -> None:
    """Print, for points and two sizes of pictures, the median ratio of our training to the bare loop's."""
    if device == "cuda" and not torch.cuda.is_available():
        raise click.UsageError("--device cuda: this machine has no CUDA device; give --device cpu")
    here = torch.device(device)
    registry = load_registry()
    suite = parse_suite(SUITE, Path("benchmark.toml"))
    for job in expand.expand(suite, registry, describe_data(suite, registry)):
        with deterministic(here, threads=1):
            steps = [ratio for _ in range(repeats) for ratio in compare_steps(job, here)]
            rounds = [contend(job, here) for _ in range(repeats)]
        step = statistics.median(seconds["bare"] for seconds in rounds) / job.training.steps * 1e3
        click.echo(f"{job.dataset}: bare loop {step:.2f} ms a step, {job.training.steps} steps, {repeats} rounds")
        low, middle, high = statistics.quantiles(steps, n=4)
        click.echo(f"  {'a step alone':<20} {middle:.3f} of the time bare (quartiles {low:.3f} to {high:.3f})")
        for name, base in (("without diagnoses", "bare"), ("with all diagnoses", "bare"), OBSERVING):
            ratios = [seconds[name] / seconds[base] for seconds in rounds]
            low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
            click.echo(f"  {name:<20} {middle:.3f} of the time {base} ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
