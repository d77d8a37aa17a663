"""`ganbench new-plugin`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from ..contract.hooks import HOOKS
from ..registry.plugins import local_files
from ..registry.registry import load_registry
from ..scaffold.project import Project, write_project


@click.command("new-plugin")
@click.argument("name")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help=f"{', '.join(HOOKS)}; repeatable. [loss]")
@click.option("--output", type=click.Path(path_type=Path), metavar="DIR", help="The project's folder. [NAME]")
def command(name: str, kinds: tuple[str, ...], output: Path | None) -> int:
    """Write a plugin's project: it installs, keeps the contract and passes its own tests as it is."""
    project = Project.create(name, kinds or ("loss",))
    folder = output or Path(name)
    files = write_project(project, folder, load_registry(local_files(Path.cwd())))
    click.echo(f"{folder}: {project.contents} called {project.component!r}, {len(files)} files. Next:")
    click.echo(f"  cd {shlex.quote(str(folder))}")
    click.echo("  python -m pip install -e '.[test]'")
    click.echo(f"  ganbench check {name} && python -m pytest")
    return 0
