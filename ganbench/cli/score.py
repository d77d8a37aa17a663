"""`ganbench score`."""

from __future__ import annotations

from pathlib import Path

import click

from ..contract.errors import RequestError
from ..contract.files import DISK_IS_FULL
from ..registry.plugins import local_files
from ..registry.registry import load_registry


@click.command("score")
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="Where the tables go; DIR/score unless given.")
def command(folders: tuple[Path, ...], output: Path | None) -> int:
    """Score diagnoses against the ground truth of a run of `failures`, or of a folder of recordings.

    Writes score.csv, verdicts.csv, stopping.csv, confusion.csv and index.html into DIR/score, and of a run its
    recordings as a data set into DIR/recordings. Several folders are scored as one, into the first.
    """
    from ..zoo.score import dataset, score

    registry = load_registry(local_files(Path.cwd()))
    folder, *more = folders
    output = output or folder / "score"
    if output.exists() and not output.is_dir():
        raise RequestError(f"{output} is not a folder")
    made = score.score(folder, registry, more)
    try:
        files = score.write(made, output)
        if not dataset.is_begun(folder):
            dataset.write(made.recordings, folder / "recordings")
            click.echo(f"recordings: {folder / 'recordings'}")
    except OSError as error:
        if error.errno in DISK_IS_FULL:
            raise  # which is no fault of the request
        raise RequestError(f"{error.filename or output} cannot be written: {error.strerror}") from error
    for note in made.notes:
        click.echo(f"ganbench: left out: {note}", err=True)
    _show(made)
    click.echo(f"report: {files[0]}")
    return 0


def _show(made: object) -> None:
    """Print the held-out figures of the built-in diagnoses; the page and the tables have the rest."""
    from rich.console import Console
    from rich.table import Table

    from ..zoo.score.diagnosers import OWN

    score = made.score[(made.score["diagnoser"] == OWN) & (made.score["part"] == "held-out")]  # type: ignore[attr-defined]
    console = Console()
    for horizon, title in (("now", "state"), ("end", "forecast")):
        mine = score[score["horizon"] == horizon]
        table = Table(title=f"AUROC of the {title}, held-out part", title_justify="left")
        table.add_column("failure")
        fractions = sorted(mine["fraction"].unique())
        for fraction in fractions:
            table.add_column(f"{fraction:.0%}", justify="right")
        for diagnosis, rows in mine.groupby("diagnosis", sort=False):
            by_fraction = rows.set_index("fraction")["auroc"]
            cells = ("–" if by_fraction[f] != by_fraction[f] else f"{by_fraction[f]:.3f}" for f in fractions)
            table.add_row(str(diagnosis), *cells)
        console.print(table)
    for name in ("verdicts", "stopping"):
        rows = getattr(made, name)
        for row in rows[rows["diagnoser"] == OWN].to_dict("records"):
            if name == "verdicts" and row["verdict"] == "macro":
                console.print(f"macro-F1 of final verdicts, {row['part']}: {row['f1']:.2f}")
            elif name == "stopping":
                console.print(
                    f"stopping on sure findings, {row['part']}: saves {row['saved']:.0%} of the compute of "
                    f"{row['n_failed']} failed runs, stops {row['healthy_stopped']:.1%} of {row['n_healthy']} healthy ones"
                )
