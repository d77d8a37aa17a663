"""What the framework costs: our training against a bare PyTorch loop of the same networks, loss and batch.

    python tests/benchmarks/training_step.py [--repeats 5]

In one process, each on one thread, the contenders train side by side: every few steps the next one goes on, so that
a machine whose speed drifts drifts for all. Printed are the median ratios of processor time over whole trainings. The
bare loop is written as well as we can, frozen players and fused optimizers included, so that a ratio near 1 means
something.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import torch

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
    },
    "methods": {
        "ns": {
            "loss": "non-saturating",
            "points": {"generator": "mlp", "discriminator": "mlp"},
            "images": {"generator": {"name": "conv", "width": 32}, "discriminator": {"name": "conv", "width": 32}},
        }
    },
}


LOOKING = ("with all diagnoses", "without diagnoses")  # what observing costs, by itself


def bare(job: Trial, pause: Callable[[], None]) -> None:
    """The loop one would write by hand for the non-saturating loss."""
    registry = load_registry()
    parts, settings = job.components, job.training
    data = registry.build("dataset", parts.dataset).training().x
    g = registry.build("generator", parts.generator, job.data)
    d = registry.build("discriminator", parts.discriminator, job.data)
    optimizer_g = torch.optim.Adam(g.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
    optimizer_d = torch.optim.Adam(d.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
    softplus, n = torch.nn.functional.softplus, settings.batch_size
    stops = Schedule.of(settings, job.evaluation).observe
    pause()
    for step in range(1, settings.steps + 1):
        real = data[torch.randint(len(data), (n,))]
        with torch.no_grad():
            fake = g(torch.randn(n, g.latent_dim))
        optimizer_d.zero_grad()
        (softplus(-d(real)).mean() + softplus(d(fake)).mean()).backward()
        optimizer_d.step()
        d.requires_grad_(False)
        optimizer_g.zero_grad()
        softplus(-d(g(torch.randn(n, g.latent_dim)))).mean().backward()
        optimizer_g.step()
        d.requires_grad_(True)
        if step in stops:
            pause()


def ours(job: Trial, pause: Callable[[], None]) -> None:
    """Our loop, with the history always and the diagnoses of `job`; no evaluation, as the bare loop has none."""
    registry = load_registry()
    dataset = registry.build("dataset", job.components.dataset)
    run = trial.LiveTrial.build(job, dataset, registry, torch.device("cpu"))
    schedule = replace(Schedule.of(job.training, job.evaluation), evaluate=frozenset())
    pause()
    train(run.gan, schedule, run.observer, evaluate=lambda s: [], diagnose=list, progress=lambda s, row: pause())


class Contender(threading.Thread):
    """A training that runs only while it is told to, and knows its processor time; setting up does not count."""

    def __init__(self, body: Callable[[Trial, Callable[[], None]], None], job: Trial) -> None:
        super().__init__(daemon=True)
        self._body, self._job = body, job
        self._go, self._paused = threading.Event(), threading.Event()
        self.seconds: list[float] = []
        self.finished = False

    def run(self) -> None:
        self._go.wait()
        self._began = time.thread_time()
        self._body(self._job, self._pause)
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
        self._began = time.thread_time()

    def _account(self) -> None:
        self.seconds.append(time.thread_time() - self._began)


def contend(job: Trial) -> dict[str, float]:
    """Processor seconds of each contender for the same training, side by side."""
    contenders = {
        "bare": Contender(bare, job),
        "without diagnoses": Contender(ours, replace(job, diagnoses=())),
        "with all diagnoses": Contender(ours, job),
    }
    for contender in contenders.values():
        contender.start()
        contender.go_on()
    while running := [contender for contender in contenders.values() if not contender.finished]:
        for contender in running:
            contender.go_on()
    return {name: sum(contender.seconds[1:]) for name, contender in contenders.items()}


@click.command()
@click.option("--repeats", default=5, show_default=True)
def main(repeats: int) -> None:
    """Print, for ring and digits, the median ratio of our training to the bare loop's."""
    registry = load_registry()
    suite = parse_suite(SUITE, Path("benchmark.toml"))
    for job in expand.expand(suite, registry, describe_data(suite, registry)):
        with deterministic(torch.device("cpu"), threads=1):
            rounds = [contend(job) for _ in range(repeats)]
        step = statistics.median(seconds["bare"] for seconds in rounds) / job.training.steps * 1e3
        click.echo(f"{job.dataset}: bare loop {step:.2f} ms a step, {job.training.steps} steps, {repeats} rounds")
        for name, base in (("without diagnoses", "bare"), ("with all diagnoses", "bare"), LOOKING):
            ratios = [seconds[name] / seconds[base] for seconds in rounds]
            low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
            click.echo(f"  {name:<20} {middle:.3f} of the time {base} ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
