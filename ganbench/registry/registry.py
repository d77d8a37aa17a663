"""What a plugin offers: its components, each with the plugin and the distribution that it came from.

Kind and name to component: what the plugins offer, with options checked before anything runs.
"""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

from ..contract.adapt import adapt
from ..contract.errors import RequestError, did_you_mean
from ..contract.hooks import HOOKS
from ..contract.options import Option, check_options, options_of
from ..contract.records import Component, ComponentRef, Trial
from .plugins import BUILTINS, Origin, Plugins, load_plugins, prints_to_stderr, warn_or_raise


@dataclass(frozen=True)
class Registration:
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
        with prints_to_stderr():
            return getattr(importlib.import_module(module), name)

    @property
    def summary(self) -> str:
        """The first line of its docstring; of a suite, what its file says."""
        if self.kind == "suite" and (said := _suite_summary(self.build)):
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


def collect(loaded: Plugins, plugin: str) -> list[Registration]:
    """What a plugin offers, of all kinds. Raises whatever its hooks raise, and TypeError for what is no component."""
    entries: dict[tuple[str, str], Registration] = {}
    for kind, hook in HOOKS.items():
        for impl in getattr(loaded.manager.hook, hook).get_hookimpls():
            if impl.plugin_name != plugin:
                continue
            with prints_to_stderr():
                made = impl.function()
                if made is None or isinstance(made, Component):
                    raise TypeError(f"{hook} returns {type(made).__name__}; write `yield ganbench.Component(...)`")
                components = list(made)
            for component in components:
                if not isinstance(component, Component):
                    raise TypeError(f"{hook} yields {component!r}, which is no ganbench.Component")
                if (kind, component.name) in entries:
                    raise ValueError(f"{hook} yields two components called {component.name!r}")
                entries[kind, component.name] = Registration(kind, component, plugin, loaded.origins[plugin])
    return list(entries.values())


def _suite_summary(build: Callable[[], Path]) -> str:
    """The summary in a suite's file; nothing where it cannot be read, which reading the suite will say."""
    try:
        return str(tomllib.loads(build().read_text(encoding="utf-8")).get("summary", ""))
    except Exception:
        return ""


class Registry:
    """Every component of every plugin, sorted by name within its kind."""

    def __init__(self, loaded: Plugins) -> None:
        self.plugins = loaded
        self._clashes: dict[tuple[str, str], str] = {}  # names that two plugins offer, and which two
        self._entries: dict[str, dict[str, Registration]] = {kind: {} for kind in HOOKS}
        for name in list(loaded.origins):
            try:
                offered = collect(loaded, name)
            except (Exception, SystemExit) as error:  # none of its components then: a later look finds no others
                loaded.set_aside(name, error)
                continue
            for entry in offered:
                self._add(entry)
        self._entries = {kind: dict(sorted(found.items())) for kind, found in self._entries.items()}

    def entries(self, kind: str) -> list[Registration]:
        """Return the components of a kind, sorted by name. Raises RequestError if `kind` is unknown."""
        return list(self._entries[kind_of_component(kind)].values())

    def find(self, kind: str, name: str, where: str = "") -> Registration:
        """The component of that name; raises RequestError with the nearest one where there is none."""
        if name not in self._entries[kind]:
            prefix = f"{where}: " if where else ""
            if (kind, name) in self._clashes:
                raise RequestError(prefix + self._clashes[kind, name])
            broken = "".join(f"; plugin {p!r} failed to load: {why}" for p, why in self.plugins.broken.items())
            hint = did_you_mean(name, self._entries[kind])
            raise RequestError(f"{prefix}no {kind} is called {name!r}; {hint}{broken}")
        return self._entries[kind][name]

    def is_unavailable(self, kind: str, name: str) -> bool:
        """Whether a component is missing through a plugin's fault: one that failed to load, or two with one name.

        Then its trials, and no others, fail when they are carried out.
        """
        at_fault = bool(self.plugins.broken) or (kind, name) in self._clashes
        return at_fault and name not in self._entries[kind]

    def check(self, kind: str, ref: ComponentRef, where: str) -> ComponentRef:
        """`ref` with its options converted to their annotated types; raises RequestError at the first wrong one."""
        entry = self.find(kind, ref.name, where)
        try:
            allowed = entry.options
        except (Exception, SystemExit) as error:
            raise RequestError(f"{where}: {kind} {ref.name!r} of {entry.origin} cannot be loaded: {error}") from error
        place = f"{where}: {kind} {ref.name!r} of {entry.origin}"
        options = check_options(ref.options, allowed, place)
        for name in options:
            if part := allowed[name].part:
                inner = as_ref(options[name], f"{place}: {name}")
                if not self.is_unavailable(part, inner.name):
                    inner = self.check(part, inner, f"{place}: {name}")
                options[name] = {"name": inner.name, **inner.options}
        return replace(ref, options=options)

    def build(self, kind: str, ref: ComponentRef, *given: Any) -> Any:
        """The component itself. Whatever its code raises passes through."""
        makers = {name: partial(self.build, part, inner) for name, part, inner in self._parts(kind, ref)}
        return adapt(kind, self.find(kind, ref.name).build(*given, **{**ref.options, **makers}))

    def skip(self, kind: str, ref: ComponentRef, trial: Trial) -> str | None:
        """Why the component, or one that it is made of, cannot serve this trial; None where it can."""
        ask = getattr(self.find(kind, ref.name).build, "skip", None)
        if why := ask(trial) if ask else None:
            return str(why)
        for _, part, inner in self._parts(kind, ref):
            in_its_place: dict[str, Any] = {part: inner} if hasattr(trial.components, part) else {}
            theirs = replace(trial, components=replace(trial.components, **in_its_place))
            if why := self.skip(part, inner, theirs):
                return why
        return None

    def why_skipped(self, trial: Trial) -> str | None:
        """Why a component that the trial cannot do without does not serve it; metrics and diagnoses are left out."""
        for kind, refs in refs_of(trial).items():
            if kind in ("metric", "diagnosis"):
                continue
            for ref in refs:
                if why := self.skip(kind, ref, trial):
                    return f"{kind} {ref.name!r}: {why}"
        return None

    def _parts(self, kind: str, ref: ComponentRef) -> list[tuple[str, str, ComponentRef]]:
        """The options that are components themselves: the option's name, the kind, and what it names."""
        named = [
            (option.name, option.part, ref.options.get(option.name, option.default))
            for option in self.find(kind, ref.name).options.values()
            if option.part
        ]
        return [(name, part, as_ref(value, name)) for name, part, value in named if isinstance(value, str | dict)]

    def origins(self, trial: Trial) -> Mapping[str, str]:
        """The distribution and version behind every component of a trial."""
        made_by: dict[str, str] = {}
        waiting = [(kind, ref) for kind, refs in refs_of(trial).items() for ref in refs]
        while waiting:
            kind, ref = waiting.pop(0)
            if not self.is_unavailable(kind, ref.name):
                made_by[f"{kind} {ref.name}"] = str(self.find(kind, ref.name).origin)
                waiting += [(part, inner) for _, part, inner in self._parts(kind, ref)]
        return made_by

    def _add(self, entry: Registration) -> None:
        """Of two components with one name a built-in stays; where neither is one, the name means nothing.

        Raises RequestError where one is of a local file: that is the user's own to rename.
        """
        found, key = self._entries[entry.kind], (entry.kind, entry.name)
        if entry.name not in found and key not in self._clashes:
            found[entry.name] = entry
            return
        other = found[entry.name].plugin if entry.name in found else "others"
        line = (
            f"two plugins offer a {entry.kind} called {entry.name!r}: {other!r} and {entry.plugin!r}; "
            "rename one, or leave a plugin out with GANBENCH_PLUGINS"
        )
        if entry.plugin in self.plugins.files or other in self.plugins.files:
            raise RequestError(line)
        if other not in BUILTINS:
            found.pop(entry.name, None)
            self._clashes.setdefault(key, line)
        warn_or_raise(line)


def load_registry(files: tuple[str, ...] = ()) -> Registry:
    """The registry of all plugins and the local `files`; the same object for the same plugins."""
    return _registry_of(load_plugins(files))


@cache
def _registry_of(loaded: Plugins) -> Registry:
    return Registry(loaded)


def kind_of_component(name: str) -> str:
    """Return the kind meant by its name, singular or plural. Raises RequestError if there is none."""
    plurals = {hook.removeprefix("ganbench_"): kind for kind, hook in HOOKS.items()}
    kind = plurals.get(name, name)
    if kind not in HOOKS:
        raise RequestError(f"no kind of component is called {name!r}; {did_you_mean(name, HOOKS)}")
    return kind


def as_ref(value: str | Mapping[str, Any], where: str) -> ComponentRef:
    """A name, or a table with one, as a reference. Raises RequestError where there is no name."""
    if isinstance(value, str):
        return ComponentRef(value)
    name = value.get("name")
    if not isinstance(name, str):
        raise RequestError(f'{where}: a component is a name or a table with one, as {{ name = "..." }}')
    return ComponentRef(name, {key: option for key, option in value.items() if key != "name"})


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
