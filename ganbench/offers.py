"""What a plugin offers: its components, each with the plugin and the distribution that it came from."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .hookspecs import HOOKS
from .options import Option, options_of
from .plugins import Origin, Plugins, printing_aside
from .records import Component


@dataclass(frozen=True)
class Entry:
    """A component that can be asked for, and the plugin it came from."""

    kind: str
    component: Component
    plugin: str
    origin: Origin

    @property
    def name(self) -> str:
        return self.component.name

    @cached_property
    def build(self) -> Any:
        """The callable, imported if the component gave it as "module:name"."""
        build = self.component.build
        if not isinstance(build, str):
            return build
        module, _, name = build.partition(":")
        with printing_aside():
            return getattr(importlib.import_module(module), name)

    @property
    def summary(self) -> str:
        """The first line of its docstring; of a suite, what its file says."""
        if self.kind == "suite" and (said := _said_in(self.build)):
            return said
        doc = self.build.__doc__ or ""
        if doc == type(self.build).__doc__:  # of what wraps it, not its own
            return ""
        return doc.strip().partition("\n")[0]

    @property
    def options(self) -> dict[str, Option]:
        return options_of(self.build)

    @property
    def fault(self) -> str | None:
        """Why the component cannot be loaded, where it cannot."""
        try:
            _ = self.build
        except (Exception, SystemExit) as error:
            return f"{type(error).__name__}: {error}"
        return None


def offered_by(loaded: Plugins, plugin: str) -> list[Entry]:
    """What a plugin offers, of all kinds. Raises whatever its hooks raise, and TypeError for what is no component."""
    entries: dict[tuple[str, str], Entry] = {}
    for kind, hook in HOOKS.items():
        for impl in getattr(loaded.manager.hook, hook).get_hookimpls():
            if impl.plugin_name != plugin:
                continue
            with printing_aside():
                made = impl.function()
                if made is None or isinstance(made, Component):
                    raise TypeError(f"{hook} returns {type(made).__name__}; write `yield ganbench.Component(...)`")
                components = list(made)
            for component in components:
                if not isinstance(component, Component):
                    raise TypeError(f"{hook} yields {component!r}, which is no ganbench.Component")
                if (kind, component.name) in entries:
                    raise ValueError(f"{hook} yields two components called {component.name!r}")
                entries[kind, component.name] = Entry(kind, component, plugin, loaded.origins[plugin])
    return list(entries.values())


def _said_in(build: Callable[[], Path]) -> str:
    """The summary in a suite's file; nothing where it cannot be read, which reading the suite will say."""
    try:
        return str(tomllib.loads(build().read_text(encoding="utf-8")).get("summary", ""))
    except Exception:
        return ""
