"""Which components are meant: by name, by distribution, by file, by module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from .. import catalog as catalogs
from ..catalog import Catalog
from ..errors import RequestError, did_you_mean
from ..hookspecs import HOOKS
from ..offers import Entry
from ..plugins import local_files
from .subject import Subject

OWN = "ganbench"  # the distribution of the built-ins


def select(
    wanted: Sequence[str | ModuleType] = (), options: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Subject]:
    """The components meant: by "name" or "kind/name", a distribution, a plugin file's path, or a plugin's module.

    Without any, those of every plugin but the built-ins. `options`, by "kind/name", replace defaults. Raises
    RequestError for what is none of these, with the nearest name.
    """
    names = [_file_of(what) if isinstance(what, ModuleType) else what for what in wanted]
    files = [str(Path(name).resolve()) for name in names if _is_path(name)]
    catalog = catalogs.load(tuple(dict.fromkeys([*local_files(Path.cwd()), *files])))
    for file in files:
        if why := catalog.plugins.broken.get(file):
            raise RequestError(f"{file} cannot be loaded: {why}")
    every = [entry for kind in HOOKS for entry in catalog.entries(kind)]
    chosen: dict[str, Entry] = {}
    for name in names:
        chosen |= {f"{e.kind}/{e.name}": e for e in _meant(name, every, catalog)}
    if not names:
        chosen = {f"{e.kind}/{e.name}": e for e in every if e.origin.distribution != OWN}
    given = options or {}
    for name in given:
        if name not in chosen:
            raise RequestError(
                f"options are given for {name!r}, which is not among the components; {did_you_mean(name, chosen)}"
            )
    return [Subject(entry, catalog, given.get(name, {})) for name, entry in chosen.items()]


def _meant(name: str, every: Sequence[Entry], catalog: Catalog) -> list[Entry]:
    if _is_path(name):
        found = [entry for entry in every if entry.plugin == str(Path(name).resolve())]
        if not found:
            raise RequestError(
                f"{name} offers no component; write a hook such as ganbench_losses under @ganbench.hookimpl"
            )
        return found
    kind, _, bare = name.rpartition("/")
    found = [e for e in every if e.name == bare and (not kind or e.kind == kind)]
    found = found or [e for e in every if name in (e.origin.distribution, e.plugin)]
    listeners = {n for plugin, origin in catalog.plugins.origins.items() for n in (plugin, origin.distribution)}
    if not found and name not in listeners:  # one that only listens offers nothing to check
        _refuse_path(name)
        known = {e.name for e in every} | {e.origin.distribution for e in every}
        broken = "".join(f"; plugin {p!r} failed to load: {why}" for p, why in catalog.plugins.broken.items())
        raise RequestError(
            f"no component, distribution or file is called {name!r}; {did_you_mean(name, known)}{broken}"
        )
    return found


def _is_path(name: str) -> bool:
    path = Path(name)
    if path.name == "__init__.py":
        raise RequestError(f"{name} is part of a package, which has to be installed; give its distribution's name then")
    if path.suffix == ".py" and not path.is_file():
        raise RequestError(f"there is no file {name}")
    return path.suffix == ".py"


def _refuse_path(name: str) -> None:
    """Raises RequestError for a path that is no plugin file, now that it is no name either."""
    if name and Path(name).is_dir():
        raise RequestError(f"{name} is a folder; give a plugin's .py file, or install the project and give its name")
    if Path(name).exists():
        raise RequestError(f"{name} is no Python file; give a plugin's .py file, or a name")


def _file_of(module: ModuleType) -> str:
    """A plugin module by its entry point, if it was installed by one; else the file that it was read from."""
    from importlib.metadata import entry_points

    for point in entry_points(group="ganbench"):
        if point.value == module.__name__:
            return point.name
    if module.__file__ is None:
        raise RequestError(f"module {module.__name__!r} has no file")
    return module.__file__
