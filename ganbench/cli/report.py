"""`ganbench report`."""

from __future__ import annotations

import gc
from pathlib import Path

import click

from ..contract.records import ComponentRef
from ..registry.plugins import local_files
from ..registry.registry import load_registry
from ..results.reports import check_reports, describe_failed_reports, write_reports
from ..results.store import Store


@click.command("report")
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "formats", multiple=True, metavar="NAME", help="csv, html, markdown, latex, ... [all]")
@click.option("--baseline", metavar="METHOD", help="Compare with this method, instead of the top-ranked one.")
@click.option("--metric", metavar="NAME", help="Compare by this metric alone, as in comparison.csv.")
@click.option("--margin", type=click.FloatRange(min=0), metavar="SHARE", help="What does not matter. [0.1]")
@click.option("--output", type=click.Path(path_type=Path), metavar="DIR", help="Where to write. [DIR/report]")
def command(
    folders: tuple[Path, ...],
    formats: tuple[str, ...],
    baseline: str | None,
    metric: str | None,
    margin: float | None,
    output: Path | None,
) -> int:
    """Rebuild the report of a finished run, or of several that agree; nothing is trained.

    Runs of one suite, as of other seeds or other methods, are put together; the report is written for the first DIR. A
    difference within the margin, a share of the methods' distance from the floor, is called equivalent.
    """
    registry = load_registry(local_files(Path.cwd()))
    refs = check_reports([ComponentRef(name) for name in formats] or None, registry, "--format")
    stores = [Store(folder) for folder in dict.fromkeys(folders)]
    for store in stores:
        store.facts()  # all folders before pandas comes: a wrong one is answered at once
    from ..results.comparison import compare
    from ..results.ranking import MARGIN

    comparison = compare(*stores, baseline=baseline, metric=metric, margin=MARGIN if margin is None else margin)
    gc.freeze()  # what was read stays until the command ends: no garbage collection needs to look at it again
    for note in comparison.damaged:
        click.echo(f"ganbench: left out: {note}", err=True)
    if comparison.missing:
        here, n = len(comparison.trials), len(comparison.missing)
        click.echo(f"ganbench: {here} of {here + n} trials are here; {n} are not stored", err=True)
    files, failed = write_reports(comparison, refs, registry, output or stores[0].report)
    for file in files:
        click.echo(file)
    for line in describe_failed_reports(failed):
        click.echo(f"ganbench: {line}", err=True)
    return 1 if failed else 0
