"""`ganbench report`."""

from __future__ import annotations

from pathlib import Path

import click

from ..contract.records import ComponentRef
from ..registry.plugins import local_files
from ..registry.registry import load_registry
from ..results.reports import check_reports, write_reports
from ..results.store import Store


@click.command("report")
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "formats", multiple=True, metavar="NAME", help="csv, html, markdown, latex, ... [all]")
def command(folders: tuple[Path, ...], formats: tuple[str, ...]) -> int:
    """Rebuild the reports of finished runs; nothing is trained."""
    registry = load_registry(local_files(Path.cwd()))
    refs = check_reports([ComponentRef(name) for name in formats] or None, registry, "--format")
    stores = [Store(folder) for folder in folders]
    for store in stores:
        store.facts()  # all folders before the first report: a wrong one costs nothing
    from ..results.comparison import compare

    faults = 0
    for store in stores:
        comparison = compare(store)
        for note in comparison.damaged:
            click.echo(f"ganbench: left out: {note}", err=True)
        files, failed = write_reports(comparison, refs, registry, store.report)
        for file in files:
            click.echo(file)
        for name, why in failed.items():
            click.echo(f"ganbench: report {name!r} failed: {why}", err=True)
        faults += len(failed)
    return 1 if faults else 0
