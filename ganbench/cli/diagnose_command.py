"""`ganbench diagnose`."""

from __future__ import annotations

from pathlib import Path

import click

from .. import catalog as catalogs
from ..diagnosis import diagnose
from ..plugins import local_files
from ..records import TrialResult
from ..store import Store, Unreadable, read_history


@click.command("diagnose")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="A list of findings, keys as in findings.csv.")
def command(folder: Path, as_json: bool) -> int:
    """The findings of a stored run, made again from its histories."""
    store = Store(folder)
    results, damaged = store.results()
    files = dict.fromkeys(file for result in results for file in result.trial.plugin_files if Path(file).is_file())
    catalog = catalogs.load(tuple(dict.fromkeys([*local_files(Path.cwd()), *files])))
    rows: list[dict[str, object]] = []
    for result in results:
        try:
            rows += _findings(store, result, catalog)
        except Unreadable as error:
            damaged.append(str(error))
        except Exception as error:  # one trial's diagnosis costs no other
            damaged.append(f"{result.trial.id}: {type(error).__name__}: {error}")
    for note in damaged:
        click.echo(f"ganbench: left out: {note}", err=True)
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(rows), indent=2))
        return 0
    for row in rows:
        click.echo(f"{row['trial']}: {row['severity']}: {row['diagnosis']} since step {row['onset_step']}")
        click.echo(f"  {row['summary']}\n  remedy: {row['remedy']}")
    click.echo(f"{len(rows)} findings in {len(results)} trials")
    return 0


def _findings(store: Store, result: TrialResult, catalog: catalogs.Catalog) -> list[dict[str, object]]:
    import msgspec

    trial = result.trial
    if not store.has_history(trial.id):
        return []  # it ended before there was anything to look at
    history = read_history(store.trials / trial.id)
    made = {ref.name: catalog.build("diagnosis", ref) for ref in trial.diagnoses}
    place = {name: getattr(trial, name) for name in ("suite", "dataset", "method", "seed")}
    return [{"trial": trial.id, **place, **msgspec.to_builtins(f)} for f in diagnose(made, history)]
