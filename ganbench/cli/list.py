"""`ganbench list`."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ..contract.hooks import HOOKS
from ..contract.options import REQUIRED, Option, format_value
from ..registry.plugins import local_files
from ..registry.registry import Registration, kind_of_component, load_registry
from .console import print_table


@click.command("list")
@click.argument("kind", required=False)
@click.option("--all", "everything", is_flag=True, help="Also components that make a run fail on purpose.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def command(kind: str | None, everything: bool, as_json: bool) -> int:
    """List components: what a suite can name, with options and defaults. KIND is loss, metrics, dataset, ..."""
    registry = load_registry(local_files(Path.cwd()))
    kinds = [kind_of_component(kind)] if kind else list(HOOKS)
    found = {kind: registry.entries(kind) for kind in kinds}
    entries = {kind: [entry for entry in found[kind] if everything or entry.component.listed] for kind in kinds}
    if as_json:
        import msgspec

        described = [_describe(entry) for kind in kinds for entry in entries[kind]]
        click.echo(msgspec.json.format(msgspec.json.encode(described), indent=2))
        return 0
    for kind in kinds:
        _show(kind, entries[kind])
    if hidden := sum(len(found[kind]) - len(entries[kind]) for kind in kinds):
        click.echo(f"{hidden} components that make a run fail on purpose are not listed; --all lists them too")
    return 0


def _show(kind: str, entries: Sequence[Registration]) -> None:
    """A table of one kind: options stand under the summary, and where a component came from beside it."""
    rows = []
    for entry in entries:
        shown = entry.described()
        if shown.fault:
            rows.append((entry.name, f"cannot be loaded: {shown.fault}", str(entry.origin)))
            continue
        options = [f"{o.name} = {_default(o)}  ({_type(o)})" for o in shown.options.values()]
        rows.append((entry.name, "\n".join([shown.summary, *(f"  {line}" for line in options)]), str(entry.origin)))
    print_table(kind, ("name", "summary and options", "from"), rows)


def _describe(entry: Registration) -> dict[str, Any]:
    shown = entry.described()
    options = [
        {"name": o.name, "type": _type(o), **({} if o.default is REQUIRED else {"default": o.default})}
        for o in shown.options.values()
    ]
    return {
        "kind": entry.kind,
        "name": entry.name,
        "summary": shown.summary,
        "error": shown.fault,
        "options": options,
        "distribution": entry.origin.distribution,
        "version": entry.origin.version,
    }


def _default(option: Option) -> str:
    return (
        "required"
        if option.default is REQUIRED
        else "unset"
        if option.default is None
        else format_value(option.default)
    )


def _type(option: Option) -> str:
    return option.part or inspect.formatannotation(option.type).replace("typing.", "")
