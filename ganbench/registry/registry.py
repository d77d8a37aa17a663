"""Turns a kind, a name and options into a component: what plugins register, with options checked before anything runs."""

from __future__ import annotations

import contextlib
import importlib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

from ..contract.adapt import adapt
from ..contract.errors import RequestError, did_you_mean
from ..contract.hooks import HOOKS
from ..contract.options import Option, check_options, options_of
from ..contract.records import Component, ComponentRef, Trial
from . import introspect
from .plugins import BUILTINS, Origin, Plugins, explain_missing, load_plugins, redirect_prints, warn_or_raise

AnyRef = TypeVar("AnyRef", bound=ComponentRef)


@dataclass(frozen=True)
class Description:
    """The summary and the options of a component, or why it cannot be loaded."""

    summary: str = ""
    options: Mapping[str, Option] = field(default_factory=dict)
    fault: str | None = None


@dataclass(frozen=True)
class Registration:
    """A component that a plugin registers, and the distribution that it came from."""

    kind: str
    component: Component
    plugin: str
    origin: Origin

    @property
    def name(self) -> str:
        return self.component.name

    @cached_property
    def build(self) -> Any:
        """The callable that builds it, imported if it was given as "module:name"."""
        build = self.component.build
        if not isinstance(build, str):
            return build
        module, _, name = build.partition(":")
        with redirect_prints():
            return getattr(importlib.import_module(module), name)

    @property
    def summary(self) -> str:
        """The first line of its docstring; of a suite, the summary in its file."""
        if self.kind == "suite" and (said := _suite_summary(self.build)):
            return said
        doc = self.build.__doc__ or ""
        if doc == type(self.build).__doc__:  # of a wrapper such as functools.partial, not its own
            return ""
        return doc.strip().partition("\n")[0]

    @property
    def options(self) -> dict[str, Option]:
        return options_of(self.build)

    def described(self) -> Description:
        """Return what `ganbench list` shows: of a built-in as its source says it, else as the imported component does."""
        if self.plugin in BUILTINS and isinstance(path := self.component.build, str):
            with contextlib.suppress(introspect.Unreadable):
                return Description(introspect.summary_of(path), introspect.options_of_source(path))
        fault = self.fault
        return Description(fault=fault) if fault else Description(self.summary, self.options)

    @property
    def fault(self) -> str | None:
        """Why the component cannot be loaded; None if it can."""
        try:
            _ = self.build
        except (Exception, SystemExit) as error:
            return f"{type(error).__name__}: {error}"
        return None


def collect(loaded: Plugins, plugin: str) -> list[Registration]:
    """Return what a plugin registers, of all kinds.

    Raises whatever its hooks raise, TypeError for anything but a Component, and ValueError for a duplicate name.
    """
    entries: dict[tuple[str, str], Registration] = {}
    for kind, hook in HOOKS.items():
        for impl in getattr(loaded.manager.hook, hook).get_hookimpls():
            if impl.plugin_name != plugin:
                continue
            with redirect_prints():
                made = impl.function()
                if made is None or isinstance(made, Component):
                    raise TypeError(f"{hook} returns {type(made).__name__}; write `yield ganbench.Component(...)`")
                components = list(made)
            for component in components:
                if not isinstance(component, Component):
                    raise TypeError(f"{hook} yields {component!r}, which is not a ganbench.Component")
                if (kind, component.name) in entries:
                    raise ValueError(f"{hook} yields two components called {component.name!r}")
                entries[kind, component.name] = Registration(kind, component, plugin, loaded.origins[plugin])
    return list(entries.values())


def _suite_summary(build: Callable[[], Path]) -> str:
    """The summary in a suite's file; empty if it cannot be read, which parsing the suite will report."""
    try:
        return str(tomllib.loads(build().read_text(encoding="utf-8")).get("summary", ""))
    except Exception:
        return ""


class Registry:
    """Every component of every plugin, sorted by name within its kind."""

    def __init__(self, loaded: Plugins) -> None:
        self.plugins = loaded
        self._features: dict[str, Any] = {}  # built ones, which metrics share, by what they were built from
        self._clashes: dict[tuple[str, str], str] = {}  # names that two plugins offer, and which two
        self._entries: dict[str, dict[str, Registration]] = {kind: {} for kind in HOOKS}
        for name in list(loaded.origins):
            try:
                offered = collect(loaded, name)
            except (Exception, SystemExit) as error:  # none of its components then: a later look finds no others
                loaded.leave_out(name, error)
                continue
            for entry in offered:
                self._add(entry)
        self._entries = {kind: dict(sorted(found.items())) for kind, found in self._entries.items()}

    def __deepcopy__(self, memo: dict[int, Any]) -> Registry:
        """Return itself: what is copied with a run shares the components that it is built from."""
        return self

    def entries(self, kind: str) -> list[Registration]:
        """Return the components of a kind, sorted by name. Raises RequestError if `kind` is unknown."""
        return list(self._entries[kind_of_component(kind)].values())

    def find(self, kind: str, name: str, where: str = "") -> Registration:
        """Return the component of that name. Raises RequestError with the nearest name if there is none."""
        if name not in self._entries[kind]:
            prefix = f"{where}: " if where else ""
            if (kind, name) in self._clashes:
                raise RequestError(prefix + self._clashes[kind, name])
            broken = "".join(f"; plugin {p!r} failed to load: {why}" for p, why in self.plugins.broken.items())
            hint = explain_missing(kind, name, self._entries[kind])
            raise RequestError(f"{prefix}no {kind} is called {name!r}; {hint}{broken}")
        return self._entries[kind][name]

    def is_unavailable(self, kind: str, name: str) -> bool:
        """Return whether a component is missing because a plugin failed to load, or because two use its name.

        Then its own trials fail when they run, and no others.
        """
        at_fault = bool(self.plugins.broken) or (kind, name) in self._clashes
        return at_fault and name not in self._entries[kind]

    def check(self, kind: str, ref: AnyRef, where: str) -> AnyRef:
        """Return `ref` with options converted to their annotated types. Raises RequestError at the first wrong one."""
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

    def check_with_defaults(self, kind: str, ref: ComponentRef, where: str) -> ComponentRef:
        """Return `ref` as `check` does, with the defaults of the options that it leaves out, all as JSON has them."""
        if self.is_unavailable(kind, ref.name):
            return ref
        checked = self.check(kind, ref, where)
        options = {o.name: o.default for o in self.find(kind, ref.name).options.values()} | dict(checked.options)
        return replace(ref, options={k: list(v) if isinstance(v, tuple) else v for k, v in options.items()})

    def build(self, kind: str, ref: ComponentRef, *given: Any) -> Any:
        """Build a component, as an instance of its kind's base class; features once for all that name them alike.

        Whatever its code raises passes through.
        """
        if kind == "features":
            if (key := repr(ref)) not in self._features:
                self._features[key] = self.build_anew(kind, ref)
            return self._features[key]
        return self.build_anew(kind, ref, *given)

    def build_anew(self, kind: str, ref: ComponentRef, *given: Any) -> Any:
        """Build a component that is shared with none, features included; those in its options are shared."""
        makers = {name: partial(self.build, part, inner) for name, part, inner in self._parts(kind, ref)}
        return adapt(kind, self.find(kind, ref.name).build(*given, **{**ref.options, **makers}))

    def skip(self, kind: str, ref: ComponentRef, trial: Trial) -> str | None:
        """Return why a component, or one in its options, cannot serve this trial; None if it can."""
        ask = getattr(self.find(kind, ref.name).build, "skip", None)
        if why := ask(trial) if ask else None:
            return str(why)
        for _, part, inner in self._parts(kind, ref):
            replaced: dict[str, Any] = {part: inner} if hasattr(trial.components, part) else {}
            inner_trial = replace(trial, components=replace(trial.components, **replaced))
            if why := self.skip(part, inner, inner_trial):
                return why
        return None

    def why_skipped(self, trial: Trial) -> str | None:
        """Return why a component that the trial needs cannot serve it; None if all can. Metrics and diagnoses are optional."""
        for kind, refs in refs_of(trial).items():
            if kind in ("metric", "diagnosis"):
                continue
            for ref in refs:
                if why := self.skip(kind, ref, trial):
                    return f"{kind} {ref.name!r}: {why}"
        return None

    def _parts(self, kind: str, ref: ComponentRef) -> list[tuple[str, str, ComponentRef]]:
        """The options that are components: the name of each, its kind, and the component that it names."""
        named = [
            (option.name, option.part, ref.options.get(option.name, option.default))
            for option in self.find(kind, ref.name).options.values()
            if option.part
        ]
        return [(name, part, as_ref(value, name)) for name, part, value in named if isinstance(value, str | dict)]

    def lacks_part_of(self, trial: Trial) -> bool:
        """Return whether a component of a trial is unavailable."""
        waiting = [(kind, ref) for kind, refs in refs_of(trial).items() for ref in refs]
        while waiting:
            kind, ref = waiting.pop(0)
            if self.is_unavailable(kind, ref.name):
                return True
            waiting += [(part, inner) for _, part, inner in self._parts(kind, ref)]
        return False

    def origins(self, trial: Trial) -> Mapping[str, str]:
        """Return the distribution and version of every component of a trial, by "kind name"."""
        origins: dict[str, str] = {}
        waiting = [(kind, ref) for kind, refs in refs_of(trial).items() for ref in refs]
        while waiting:
            kind, ref = waiting.pop(0)
            if not self.is_unavailable(kind, ref.name):
                origins[f"{kind} {ref.name}"] = str(self.find(kind, ref.name).origin)
                waiting += [(part, inner) for _, part, inner in self._parts(kind, ref)]
        return origins

    def _add(self, entry: Registration) -> None:
        """Register a component. Of two with one name a built-in is kept; if neither is one, neither is.

        Raises RequestError if one is in a local file, which the user can rename.
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
    """Return the registry of all plugins and the local `files`; the same object for the same plugins."""
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
    """Return a name, or a table with a name and options, as a reference. Raises RequestError if there is no name."""
    if isinstance(value, str):
        return ComponentRef(value)
    name = value.get("name")
    if not isinstance(name, str):
        raise RequestError(f'{where}: a component is a name or a table with one, as {{ name = "..." }}')
    return ComponentRef(name, {key: option for key, option in value.items() if key != "name"})


def refs_of(trial: Trial) -> dict[str, tuple[ComponentRef, ...]]:
    """Return the components of a trial, by kind."""
    parts, optimizers = trial.components, (trial.training.optimizer_g, trial.training.optimizer_d)
    return {
        "dataset": (parts.dataset,),
        "generator": (parts.generator,),
        "discriminator": (parts.discriminator,),
        "loss": (parts.loss,),
        "regularizer": parts.regularizers,
        "term": parts.terms,
        "augmentation": () if parts.augmentation is None else (parts.augmentation,),
        "update": (trial.training.update,),
        "optimizer": optimizers if optimizers[0] != optimizers[1] else optimizers[:1],
        "metric": trial.evaluation.metrics,
        "diagnosis": trial.diagnoses,
    }
