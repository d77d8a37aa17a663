"""Kind and name to component: what the plugins offer, with options checked before anything runs."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from . import plugins
from .errors import RequestError, did_you_mean
from .hookspecs import HOOKS
from .options import Option, check_options, options_of
from .plugins import Origin, Plugins
from .records import Component, ComponentRef, Trial


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
        return getattr(importlib.import_module(module), name)

    @property
    def summary(self) -> str:
        doc = (self.build.__doc__ or "").strip()
        return doc.splitlines()[0] if doc else ""

    @property
    def options(self) -> dict[str, Option]:
        return options_of(self.build)

    @property
    def fault(self) -> str | None:
        """Why the component cannot be loaded, where it cannot."""
        try:
            _ = self.build
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return None


class Catalog:
    """Every component of every plugin, sorted by name within its kind."""

    def __init__(self, loaded: Plugins) -> None:
        self.plugins = loaded
        self._entries = {kind: self._collect(kind) for kind in HOOKS}

    def entries(self, kind: str) -> list[Entry]:
        """Raises RequestError for a kind that is none."""
        if kind not in self._entries:
            raise RequestError(f"no kind of component is called {kind!r}; {did_you_mean(kind, HOOKS)}")
        return list(self._entries[kind].values())

    def find(self, kind: str, name: str, where: str = "") -> Entry:
        """The component of that name; raises RequestError with the nearest one where there is none."""
        if name not in self._entries[kind]:
            prefix = f"{where}: " if where else ""
            broken = "".join(f"; plugin {p!r} failed to load: {why}" for p, why in self.plugins.broken.items())
            hint = did_you_mean(name, self._entries[kind])
            raise RequestError(f"{prefix}no {kind} is called {name!r}; {hint}{broken}")
        return self._entries[kind][name]

    def may_lack(self, kind: str, name: str) -> bool:
        """Whether a component is missing, but a plugin that failed to load may have offered it.

        Then its trials, and no others, fail when they are carried out.
        """
        return bool(self.plugins.broken) and name not in self._entries[kind]

    def check(self, kind: str, ref: ComponentRef, where: str) -> ComponentRef:
        """`ref` with its options converted to their annotated types; raises RequestError at the first wrong one."""
        entry = self.find(kind, ref.name, where)
        try:
            allowed = entry.options
        except Exception as error:
            raise RequestError(f"{where}: {kind} {ref.name!r} of {entry.origin} cannot be loaded: {error}") from error
        place = f"{where}: {kind} {ref.name!r} of {entry.origin}"
        return replace(ref, options=check_options(ref.options, allowed, place))

    def build(self, kind: str, ref: ComponentRef, *given: Any) -> Any:
        """The component itself. Whatever its code raises passes through."""
        return self.find(kind, ref.name).build(*given, **ref.options)

    def skip(self, kind: str, ref: ComponentRef, trial: Trial) -> str | None:
        """Why the component cannot serve this trial, or None."""
        ask = getattr(self.find(kind, ref.name).build, "skip", None)
        return ask(trial) if ask else None

    def origins(self, trial: Trial) -> Mapping[str, str]:
        """The distribution and version behind every component of a trial."""
        return {
            f"{kind} {ref.name}": str(self.find(kind, ref.name).origin)
            for kind, refs in refs_of(trial).items()
            for ref in refs
            if not self.may_lack(kind, ref.name)
        }

    def _collect(self, kind: str) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        hook = getattr(self.plugins.manager.hook, HOOKS[kind])
        for impl in hook.get_hookimpls():
            try:
                components = list(impl.function())
                for component in components:
                    if not isinstance(component, Component):
                        raise TypeError(f"{HOOKS[kind]} yields {component!r}, which is no ganbench.Component")
            except Exception as error:
                self.plugins.set_aside(impl.plugin_name, error)
                continue
            for component in components:
                entry = Entry(kind, component, impl.plugin_name, self.plugins.origins[impl.plugin_name])
                if component.name in found:
                    raise RequestError(
                        f"two plugins offer a {kind} called {component.name!r}: "
                        f"{found[component.name].plugin!r} and {impl.plugin_name!r}; rename one, or leave a plugin "
                        "out with GANBENCH_PLUGINS"
                    )
                found[component.name] = entry
        return dict(sorted(found.items()))


def load(files: tuple[str, ...] = ()) -> Catalog:
    """The catalog of all plugins and the local `files`."""
    return Catalog(plugins.load(files))


def refs_of(trial: Trial) -> dict[str, tuple[ComponentRef, ...]]:
    """The components that a trial asks for, by kind."""
    parts = trial.components
    return {
        "dataset": (parts.dataset,),
        "generator": (parts.generator,),
        "discriminator": (parts.discriminator,),
        "loss": (parts.loss,),
        "regularizer": parts.regularizers,
        "metric": trial.evaluation.metrics,
        "diagnosis": trial.diagnoses,
    }
