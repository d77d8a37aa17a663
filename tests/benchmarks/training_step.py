"""What the framework costs: our training against a bare PyTorch loop of the same networks, loss and batch.

    python tests/benchmarks/training_step.py [--repeats 5]

In one process and on one thread, the contenders take turns; each turn is a whole training. Printed are the median
ratios of the processor time of turns that stand side by side. The bare loop is written as well as we can, frozen
players and fused optimizers included, so that a ratio near 1 means something.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import click
import torch

from ganbench import catalog as catalogs
from ganbench import plan, trial
from ganbench.observation import Schedule
from ganbench.records import Trial
from ganbench.run import describe_data
from ganbench.suite.reading import parse
from ganbench.training import isolated, train

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


def bare(job: Trial) -> None:
    """The loop one would write by hand for the non-saturating loss."""
    catalog = catalogs.load()
    parts, settings = job.components, job.training
    data = catalog.build("dataset", parts.dataset).training().x
    g = catalog.build("generator", parts.generator, job.data)
    d = catalog.build("discriminator", parts.discriminator, job.data)
    optimizer_g = torch.optim.Adam(g.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
    optimizer_d = torch.optim.Adam(d.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
    softplus, n = torch.nn.functional.softplus, settings.batch_size
    for _ in range(settings.steps):
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


def ours(job: Trial) -> None:
    """Our loop, with the history always and the diagnoses of `job`; no evaluation, as the bare loop has none."""
    catalog = catalogs.load()
    dataset = catalog.build("dataset", job.components.dataset)
    run = trial.LiveTrial.build(job, dataset, catalog, torch.device("cpu"))
    schedule = replace(Schedule.of(job.training, job.evaluation), evaluate=frozenset())
    train(run.gan, schedule, run.observer, evaluate=lambda s: [], diagnose=list, progress=lambda s, row: None)


@dataclass
class Contender:
    name: str
    turn: Callable[[], None]
    seconds: list[float]


def contend(job: Trial, repeats: int) -> list[Contender]:
    """Let the contenders take turns, after one turn each that does not count."""
    contenders = [
        Contender("bare", lambda: bare(job), []),
        Contender("without diagnoses", lambda: ours(replace(job, diagnoses=())), []),
        Contender("with all diagnoses", lambda: ours(job), []),
    ]
    for turn in range(repeats + 1):
        for contender in contenders:
            began = time.process_time()
            contender.turn()
            if turn:
                contender.seconds.append(time.process_time() - began)
    return contenders


@click.command()
@click.option("--repeats", default=5, show_default=True)
def main(repeats: int) -> None:
    """Print, for ring and digits, the median ratio of our training to the bare loop's."""
    catalog = catalogs.load()
    suite = parse(SUITE, Path("benchmark.toml"))
    for job in plan.unfold(suite, catalog, describe_data(suite, catalog)):
        with isolated(torch.device("cpu"), threads=1):
            reference, *rest = contend(job, repeats)
        step = statistics.median(reference.seconds) / job.training.steps * 1e3
        click.echo(f"{job.dataset}: bare loop {step:.2f} ms a step, {job.training.steps} steps, {repeats} turns")
        for contender in rest:
            ratios = [a / b for a, b in zip(contender.seconds, reference.seconds, strict=True)]
            low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
            click.echo(f"  {contender.name:<20} {middle:.3f} of the bare loop's time ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
