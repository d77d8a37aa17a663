"""`ganbench list`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import click

from .. import catalog as catalogs
from ..catalog import Entry
from ..hookspecs import HOOKS
from ..options import REQUIRED, Option, show
from ..plugins import local_files


@click.command("list")
@click.argument("kind", required=False)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def command(kind: str | None, as_json: bool) -> int:
    """Components: what a suite can name, with options and defaults. KIND as loss, metric, dataset, ..."""
    catalog = catalogs.load(local_files(Path.cwd()))
    kinds = [kind] if kind else list(HOOKS)
    entries = [entry for kind in kinds for entry in catalog.entries(kind)]
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode([_describe(entry) for entry in entries]), indent=2))
        return 0
    for heading in kinds:
        click.secho(heading, bold=True)
        for entry in catalog.entries(heading):
            if entry.fault:
                click.echo(f"  {entry.name:<28}cannot be loaded: {entry.fault}" + _from(entry))
                continue
            click.echo(f"  {entry.name:<28}{entry.summary}" + _from(entry))
            for option in entry.options.values():
                click.echo(f"      {option.name} = {_default(option)}  ({_type(option)})")
    return 0


def _describe(entry: Entry) -> dict[str, Any]:
    fault = entry.fault
    options = [
        {"name": o.name, "type": _type(o), **({} if o.default is REQUIRED else {"default": o.default})}
        for o in (() if fault else entry.options.values())
    ]
    return {
        "kind": entry.kind,
        "name": entry.name,
        "summary": "" if fault else entry.summary,
        "error": fault,
        "options": options,
        "distribution": entry.origin.distribution,
        "version": entry.origin.version,
    }


def _from(entry: Entry) -> str:
    return "" if entry.origin.distribution == "ganbench" else f"  [{entry.origin}]"


def _default(option: Option) -> str:
    return "required" if option.default is REQUIRED else "unset" if option.default is None else show(option.default)


def _type(option: Option) -> str:
    return option.part or inspect.formatannotation(option.type).replace("typing.", "")
