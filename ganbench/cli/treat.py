"""`ganbench treat`."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..pipeline import Prepared, execute
from ..registry.plugins import redirect_prints
from .console import count

if TYPE_CHECKING:
    from ..zoo.treat.plan import TreatPlan
    from ..zoo.treat.tables import Tables


@click.command("treat")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), metavar="DIR2", help="Where results go. [DIR/treat]")
@click.option("--only", multiple=True, metavar="KEY=GLOB", help="Only trials that match, as method=r3*; repeatable.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N failed trials, at random. [all]")
@click.option("--healthy", type=click.IntRange(min=0), metavar="N", help="At most N healthy trials, at random. [all]")
@click.option(
    "--verify", type=click.IntRange(min=0), default=3, metavar="N", help="Trials rerun unchanged, to verify. [3]"
)
@click.option("--executor", default="processes", metavar="NAME", help="What runs the trials. [processes]")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Worker processes. [one per core]")
def command(
    folder: Path,
    output: Path | None,
    only: tuple[str, ...],
    limit: int | None,
    healthy: int | None,
    verify: int,
    executor: str,
    workers: int | None,
) -> int:
    """Try remedies on the failed trials of a run.

    Each failed trial is trained again, on its seed, with the remedy that its findings recommend and with a common one
    drawn at random, and each healthy one with a remedy that it did not need. Without a remedy a trial ends as it is
    stored: a few are rerun to verify that it does. The same command again does what is left.
    """
    from ..zoo import treat

    request = treat.TreatRequest(folder, output, only, limit, healthy, verify, executor, workers)
    with redirect_prints():
        plan = treat.prepare_treatment(request)
    for note in plan.cases.notes:
        click.echo(f"ganbench: {note}", err=True)
    words = shlex.join(["ganbench", *sys.argv[1:]])
    try:
        sample = treat.reproduce(plan)
        faults = _train(sample, words) if sample.todo else 0
        reproducible = _is_reproducible(plan)
        faults += _train(treat.treat(plan, reproducible), words)
    except KeyboardInterrupt:
        click.echo(
            f"ganbench: interrupted; finished trials are kept in {plan.store.folder}. Continue with: {words}", err=True
        )
        return 130
    tables = treat.write_tables(plan)
    click.echo(treat.describe_outcomes(plan.cases))
    _show(tables)
    if faults:
        click.echo(
            f"ganbench: {count(faults, 'trial')} ended in error or timeout; the same command runs what is left",
            err=True,
        )
    return 1 if faults else 0


def _train(prepared: Prepared, words: str) -> int:
    from .progress import show_progress

    for note in prepared.notes:
        click.echo(note, err=True)
    with show_progress(prepared.registry.plugins.manager, prepared.todo), redirect_prints():
        return execute(prepared, words).faults


def _is_reproducible(plan: TreatPlan) -> bool:
    """Return whether stored results are reproducible here; print where they are not."""
    from ..zoo import treat

    lines = treat.differences(plan)
    for line in lines:
        click.echo(f"ganbench: NOT REPRODUCED: {line}", err=True)
    if lines:
        click.echo(
            "ganbench: stored results are not reproduced here, so every failed trial is rerun without a remedy too "
            f"({treat.environment_diff(plan)})",
            err=True,
        )
    return not lines


def _show(tables: Tables) -> None:
    from .console import print_table

    for note in tables.damaged:
        click.echo(f"ganbench: left out: {note}", err=True)
    rows = [_cells(row) for row in tables.summary.to_dict("records")]
    print_table("remedies", ["arm", "diagnosis", "trials", "rate, 95 %", "more than at random, 95 %"], rows)
    for file in tables.files:
        click.echo(file)


def _cells(row: Mapping[Hashable, Any]) -> list[str]:
    """A row of summary.csv as a person reads it."""
    what = "harmed" if row["arm"] == "healthy" else "cured"
    rate = f"{row['rate']:.0%} [{row['low']:.0%}, {row['high']:.0%}]"
    more = "" if math.isnan(row["difference"]) else f"{row['difference']:+.0%}"
    if not math.isnan(row["difference_low"]):  # it is for a single recipe
        more += f" [{row['difference_low']:+.0%}, {row['difference_high']:+.0%}]"
    return [row["arm"], row["diagnosis"], f"{row[what]:.0f} of {row['n']} {what}", rate, more]
