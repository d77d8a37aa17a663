"""`ganbench plugins`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..registry.plugins import Plugins, local_files
from ..registry.registry import load_registry
from .console import print_table


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def command(as_json: bool) -> int:
    """List where components come from: plugins, versions, hooks, and those that failed to load."""
    plugins = load_registry(local_files(Path.cwd())).plugins
    described = [_describe(plugins, name) for name in dict.fromkeys([*plugins.origins, *plugins.broken])]
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(described), indent=2))
        return 0
    rows = [
        (
            one["plugin"],
            f"{one['distribution'] or ''} {one['version'] or ''}".strip(),
            f"FAILED: {one['error']}" if one["error"] else ", ".join(one["hooks"]),
        )
        for one in described
    ]
    print_table("plugins", ("plugin", "from", "hooks"), rows)
    return 0


def _describe(plugins: Plugins, name: str) -> dict[str, Any]:
    origin, plugin = plugins.origins.get(name), plugins.manager.get_plugin(name)
    callers = plugins.manager.get_hookcallers(plugin) if plugin is not None else None
    return {
        "plugin": name,
        "distribution": origin.distribution if origin else None,
        "version": origin.version if origin else None,
        "hooks": sorted(caller.name for caller in callers or ()),
        "error": plugins.broken.get(name),
    }
