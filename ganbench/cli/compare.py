"""`ganbench compare`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..contract.errors import printable
from ..results.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from ..results.versions import Version

WORDS = {"inconclusive": "cannot tell"}


@click.command("compare")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--margin", type=click.FloatRange(min=0), metavar="SHARE", help="What does not matter. [0.1]")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def command(old: str, new: str, margin: float | None, as_json: bool) -> int:
    """Say whether NEW is better, worse or equivalent to OLD, or that it cannot be told.

    Each is the folder of a run, or DIR:METHOD for one method of it. Two runs are compared method by method, seed by seed.
    """
    sides = [_parse(text) for text in (old, new)]
    for folder, _ in sides:
        Store(folder).facts()  # before pandas comes: a wrong folder is answered at once
    from ..results.ranking import MARGIN
    from ..results.versions import Version, compare_versions

    older, newer = (Version(Store(folder), method) for folder, method in sides)
    found = compare_versions(older, newer, MARGIN if margin is None else margin)
    if as_json:
        click.echo(found.table.to_json(orient="records", indent=2, double_precision=15))
    else:
        _show(found.table, older, newer)
    for line in found.left_out:
        click.echo(printable(f"left out: {line}"), err=as_json)
    return 0


def _parse(text: str) -> tuple[Path, str | None]:
    """A folder, or a folder and a method."""
    if not Path(text).exists() and ":" in text:
        folder, _, method = text.rpartition(":")
        return Path(folder), method
    return Path(text), None


def _show(table: pd.DataFrame, old: Version, new: Version) -> None:
    """A line of at most 80 columns for each comparison, with the verdict first."""
    counts = table.verdict.value_counts()
    summary = ", ".join(f"{counts[word]} {WORDS.get(word, word)}" for word in counts.index)
    click.echo(printable(f"{_name(new)} against {_name(old)}: {summary}"))
    for (dataset, method), rows in table.groupby(["dataset", "method"], sort=False):
        first = rows.iloc[0]
        failed = f"failed {first.old_failed}/{first.old_seeds} → {first.new_failed}/{first.new_seeds}"
        click.echo()
        click.echo(printable(f"{dataset}  {method}  ({failed})"))
        for row in rows.itertuples():
            click.echo(printable(_line(row)))
    click.echo("\nold → new, then the difference and its 95 % interval, paired by seed")
    needed = table.seeds_needed.dropna()
    if len(needed):
        click.echo(f"cannot tell: {len(needed)} would be decided by {_range(needed)} seeds, by what was seen so far")


def _range(values: pd.Series) -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low}" if low == high else f"{low} to {high}"


def _name(version: Version) -> str:
    return str(version.store.folder) + (f":{version.method}" if version.method else "")


def _line(row: Any) -> str:
    values = f"{row.old:.3g} → {row.new:.3g}"
    interval = f"{row.delta:+.2g}"
    if math.isfinite(row.delta_low):
        interval += f" [{row.delta_low:+.2g}, {row.delta_high:+.2g}]"
    return f"  {WORDS.get(row.verdict, row.verdict):<11} {row.metric[:21]:<21} {values:<17} {interval}"
