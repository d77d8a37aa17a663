"""`ganbench diagnose`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import click

from ..contract.components import Diagnosis
from ..contract.errors import RequestError
from ..contract.records import ComponentRef, Finding, History, Trial
from ..diagnosis.findings import diagnose
from ..diagnosis.stored import diagnose_stored
from ..registry.plugins import local_files
from ..registry.registry import load_registry
from ..results.store import Store
from ..results.trial_files import Unreadable

Rows = list[dict[str, object]]
NOWHERE = {"suite": "", "dataset": "", "method": "", "seed": None}  # a log does not say
UNENDED = ("error", "timeout", "skipped")  # what such a trial has of a history, if any, tells nothing of its end


@click.command("diagnose")
@click.argument("path", metavar="PATH", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="A list of findings, keys as in findings.csv.")
@click.option(
    "--pattern", "patterns", multiple=True, metavar="REGEX", help="Reads a plain text: named groups are its columns."
)
def command(path: Path, as_json: bool, patterns: tuple[str, ...]) -> int:
    """Findings of a stored run, made again, or of what another program logged.

    PATH is a folder of `ganbench run`; a CSV of losses or other signals; TensorBoard event files; a file of one JSON
    object a line, such as StyleGAN's training_stats.jsonl; a history.parquet; or a folder of these. A plain text is
    read with a pattern for each kind of line:

        ganbench diagnose train.log --pattern '(?P<step>\\d+): D (?P<loss_d>\\S+) G (?P<loss_g>\\S+)'

    Losses alone show little, and the findings say so: see docs/foreign-logs.md. Exit code 2: there is nothing to read.
    """
    if _is_run(path):
        rows, n, notes = _of_run(Store(path))
    else:
        rows, n, notes = _of_logs(path, patterns)
    for note in notes:
        click.echo(f"ganbench: {note}", err=True)
    if not n:
        raise RequestError(f"{path}: none of its trials can be diagnosed")
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(rows), indent=2))
        return 0
    for row in rows:
        click.echo(f"{row['trial']}: {row['severity']}: {row['diagnosis']} since step {row['onset_step']}")
        said = {"remedy": row["remedy"], "follows from": row["cause"], "track record": row["track_record"]}
        click.echo("\n".join([f"  {row['summary']}", *(f"  {what}: {text}" for what, text in said.items() if text)]))
    click.echo(f"{len(rows)} findings in {n} trials")
    return 0


def _is_run(path: Path) -> bool:
    try:
        return (path / "suite.json").is_file()
    except OSError:  # it may not be looked into: reading it says so
        return False


def _of_run(store: Store) -> tuple[Rows, int, list[str]]:
    results, damaged = store.results()
    if not results:
        more = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
        why = f"left out: {damaged[0]}{more}" if damaged else "none is finished; `ganbench run` again goes on with it"
        raise RequestError(f"{store.folder} holds a run without any trial to diagnose: {why}")
    notes = [f"left out: {note}" for note in damaged]
    registry = load_registry(local_files(Path.cwd()))  # never what a stored trial names: that would run its code
    rows: Rows = []
    n = 0
    for result in results:
        trial = result.trial
        if result.status in UNENDED:
            notes.append(f"trial {trial.id} ended in {result.status}")
            if not store.has_history(trial.id):
                continue
        try:
            findings, missing = diagnose_stored(store, result, registry)
        except Unreadable as error:
            if result.status not in UNENDED:  # of those nothing may have been observed: how they ended is said
                notes.append(f"left out: {error}")
        except Exception as error:  # one trial's diagnosis costs no other
            notes.append(f"left out: {trial.id}: {type(error).__name__}: {error}")
        else:
            n += 1
            notes += missing
            rows += _rows(trial.id, _place(trial), findings)
    return rows, n, notes


def _of_logs(path: Path, patterns: tuple[str, ...]) -> tuple[Rows, int, list[str]]:
    from ..logs.formats.patterns import compiled
    from ..logs.history import to_history
    from ..logs.log import what_was_read
    from ..logs.read import read_logs
    from ..logs.rules import apply_rules, rank_findings

    found = read_logs(path, compiled(patterns))
    notes = [f"left out: {note}" for note in found.left_out]
    diagnoses = _all_diagnoses(notes)
    rows: Rows = []
    for recording in found.recordings:
        place = _place(recording.trial) if recording.trial else NOWHERE
        rows += _rows(recording.name, place, diagnose(diagnoses, recording.history))
    for log in found.logs:
        notes += [f"{log.name}: {note}" for note in (what_was_read(log), *log.notes)]
        rows += _rows(
            log.name,
            {**NOWHERE, **log.place},
            rank_findings([*diagnose(diagnoses, to_history(log)), *apply_rules(log)]),
        )
    return rows, len(found.recordings) + len(found.logs), list(dict.fromkeys(notes))


def _all_diagnoses(notes: list[str]) -> dict[str, _Spared]:
    """Every diagnosis there is, as far as its defaults suffice; `notes` takes what fails, now or on a log."""
    registry = load_registry(local_files(Path.cwd()))
    made = {}
    for entry in registry.entries("diagnosis"):
        try:
            made[entry.name] = _Spared(entry.name, registry.build("diagnosis", ComponentRef(entry.name)), notes)
        except (Exception, SystemExit) as error:
            notes.append(f"left out: diagnosis {entry.name!r}: {type(error).__name__}: {error}")
    return made


class _Spared(Diagnosis):
    """A diagnosis that may fail on what a log lacks: that costs no other."""

    def __init__(self, name: str, diagnosis: Diagnosis, notes: list[str]) -> None:
        self._name = name
        self._diagnosis = diagnosis
        self._notes = notes
        self.follows = diagnosis.follows

    def diagnose(self, history: History) -> list[Finding]:
        try:
            return list(self._diagnosis.diagnose(history))
        except Exception as error:
            self._notes.append(f"left out: diagnosis {self._name!r}: {type(error).__name__}: {error}")
            return []


def _place(trial: Trial) -> dict[str, object]:
    return {name: getattr(trial, name) for name in NOWHERE}


def _rows(trial: str, place: Mapping[str, object], findings: Iterable[Finding]) -> Iterator[dict[str, object]]:
    import msgspec

    for finding in findings:
        yield {"trial": trial, **place, **msgspec.to_builtins(finding)}
