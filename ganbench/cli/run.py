"""`ganbench run`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from ..contract.errors import RequestError
from ..pipeline import Prepared, Request, RunOutcome, execute, forecast_run, prepare
from ..registry.plugins import redirect_prints
from ..results.reports import describe_failed_reports
from .console import count


@click.command("run")
@click.argument("name", metavar="[SUITE]", required=False)
@click.option("--suite", metavar="NAME|FILE", help="A suite by name, or a TOML file. [basic]")
@click.option("--output", type=click.Path(path_type=Path), metavar="DIR", help="Where results go. [results/<suite>]")
@click.option("--only", multiple=True, metavar="KEY=GLOB", help="Only trials that match, as method=r3*; repeatable.")
@click.option("--seeds", type=click.IntRange(min=1), metavar="N", help="How many seeds, instead of the suite's.")
@click.option("--steps", type=click.IntRange(min=1), metavar="N", help="The budget, instead of the suite's.")
@click.option("--executor", metavar="NAME", help="What runs the trials. [processes]")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Worker processes. [one per core]")
@click.option("--device", default="auto", metavar="auto|cpu|cuda[:N]", help="Where to train. [auto]")
@click.option("--max-minutes", type=float, metavar="N", help="Pause after so many minutes. [the suite's, or never]")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--fresh", is_flag=True, help="Rerun every trial, also those that are done.")
def command(
    name: str | None,
    suite: str | None,
    output: Path | None,
    only: tuple[str, ...],
    seeds: int | None,
    steps: int | None,
    executor: str | None,
    workers: int | None,
    device: str,
    dry_run: bool,
    fresh: bool,
    max_minutes: float | None,
) -> int:
    """Train, diagnose and compare the methods of a suite: `ganbench run basic` is `ganbench run --suite basic`.

    Trials are stored as they end and saved while they train: the same command again goes on with what is left.
    """
    if name and suite and name != suite:
        raise RequestError(f"two suites are given, {name!r} and --suite {suite}; give one")
    request = Request(
        name or suite or "basic", output, only, seeds, steps, executor, workers, device, fresh, max_minutes
    )
    with redirect_prints():
        prepared = prepare(request)
    for note in prepared.notes:
        click.echo(note, err=True)
    if dry_run:
        _show_plan(prepared)
        return 0
    from .progress import show_progress
    from .summary import show_comparison

    takes = _describe_forecast(prepared) if prepared.todo else ""
    words = shlex.join(["ganbench", *sys.argv[1:]])
    try:
        with show_progress(prepared.registry.plugins.manager, prepared.todo, prepared.ended, takes), redirect_prints():
            outcome = execute(prepared, words)
    except KeyboardInterrupt:
        click.echo(
            f"ganbench: interrupted; finished trials are kept in {prepared.store.folder}. Continue with: {words}",
            err=True,
        )
        return 130
    show_comparison(outcome.comparison)
    return _close(outcome)


def _show_plan(prepared: Prepared) -> None:
    todo = {trial.id for trial in prepared.todo}
    kept = {result.trial.id for result in prepared.kept}
    for trial in prepared.planned:
        if trial.id in todo or trial.id in kept:
            steps = f"{trial.training.steps} steps on {trial.device}"
            click.echo(f"{'to do' if trial.id in todo else 'kept '}  {trial.id}  {steps}")
    for line in prepared.left_out:
        click.echo(f"left out  {line}")
    click.echo(_describe_forecast(prepared))
    click.echo(f"{len(todo)} trials to do, {len(kept)} kept, into {prepared.store.folder}")


def _describe_forecast(prepared: Prepared) -> str:
    """Say in a line what the run is going to take."""
    found = forecast_run(prepared)
    minutes = found.seconds / 60
    time = (
        f"{found.seconds:.0f} s" if minutes < 2 else f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
    )
    size = f"{max(1, found.bytes / 1e6):.0f} MB"
    trials = f"{found.workers} trials at a time" if found.workers > 1 else "one trial at a time"
    origin = (
        f"by {found.measured} trials that have ended"
        if found.measured
        else "by a timed step of each"
        if found.timed
        else "by what such networks compute"
    )
    return f"about {time} and {size}, {trials} ({origin})"


def _close(outcome: RunOutcome) -> int:
    for line in describe_failed_reports(outcome.failed_reports):
        click.echo(f"ganbench: {line}", err=True)
    if outcome.files:
        click.echo(f"\nreport: {outcome.files[0]}")
    if outcome.faults:
        click.echo(
            f"ganbench: {count(outcome.faults, 'trial')} ended in error or timeout; the same command runs what is left",
            err=True,
        )
    return 1 if outcome.faults or outcome.failed_reports else 0
