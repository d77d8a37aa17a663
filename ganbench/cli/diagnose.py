"""`ganbench diagnose`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..diagnosis.diagnose import TrialFinding
from .console import count

ORIGIN = ("suite", "trial", "dataset", "method", "seed")


@click.command("diagnose")
@click.argument("path", metavar="PATH", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="A list of findings, keys as in findings.csv.")
@click.option(
    "--pattern",
    "patterns",
    multiple=True,
    metavar="REGEX",
    help="For text of an unknown program: named groups are columns.",
)
def command(path: Path, as_json: bool, patterns: tuple[str, ...]) -> int:
    """Diagnose a stored run again, or what another program logged.

    PATH is a folder of `ganbench run`; a CSV of losses or other signals; TensorBoard event files; a file of one JSON
    object a line, such as StyleGAN's stats.jsonl; a history.parquet; what a training program printed; or a folder of
    these. The consoles of well-known programs, and 'name: value' in any other, are read as they are; other text with
    a pattern for each kind of line:

        ganbench diagnose train.log --pattern '(?P<step>\\d+): D (?P<loss_d>\\S+) G (?P<loss_g>\\S+)'

    Losses alone show little, and the findings say so: see docs/logs.md. Exit code 2: there is nothing to read.
    """
    from ..diagnosis.diagnose import diagnose

    findings = diagnose(path, patterns)
    for note in findings.notes:
        click.echo(f"ganbench: {note}", err=True)
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(_rows(findings)), indent=2))
        return 0
    for finding in findings:
        click.echo("\n".join(_lines(finding)))
    click.echo(f"{count(len(findings), 'finding')} in {count(findings.n_trials, 'trial')}")
    return 0


def _lines(finding: TrialFinding) -> Iterator[str]:
    yield f"{finding.trial}: {finding.severity}: {finding.diagnosis} since step {finding.onset_step}"
    yield f"  {finding.summary}"
    if finding.remedy:
        yield f"  remedy: {finding.remedy}"
    if finding.cause:
        yield f"  follows from: {finding.cause}"
    if finding.track_record:
        yield f"  track record: {finding.track_record}"


def _rows(findings: Sequence[TrialFinding]) -> list[dict[str, Any]]:
    """The findings with the keys of findings.csv, in its order; the remedy as text."""
    rows = []
    for finding in findings:
        fields = vars(finding) | {"remedy": str(finding.remedy)}
        rows.append({name: fields[name] for name in ORIGIN} | fields)
    return rows
