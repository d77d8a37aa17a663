"""`ganbench plugins`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .. import catalog as catalogs
from ..plugins import local_files


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def command(as_json: bool) -> int:
    """Where components come from: plugins, versions, hooks, and those that failed to load."""
    plugins = catalogs.load(local_files(Path.cwd())).plugins
    rows: list[dict[str, Any]] = [
        {
            "plugin": name,
            "distribution": origin.distribution,
            "version": origin.version,
            "hooks": sorted(c.name for c in plugins.manager.get_hookcallers(plugins.manager.get_plugin(name)) or ()),
            "error": plugins.broken.get(name),
        }
        for name, origin in plugins.origins.items()
    ]
    rows += [
        {"plugin": name, "distribution": None, "version": None, "hooks": [], "error": why}
        for name, why in plugins.broken.items()
        if name not in plugins.origins
    ]
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(rows), indent=2))
        return 0
    for row in rows:
        state = f"FAILED: {row['error']}" if row["error"] else ", ".join(row["hooks"])
        click.echo(f"{row['plugin']:<36}{row['distribution'] or ''} {row['version'] or ''}  {state}")
    return 0
