"""Finds plugins: the built-ins by module name, installed ones by entry point, and local files.

Loading a plugin runs its code. Each is loaded by itself: one that fails is left out with a warning, and the others work,
unless GANBENCH_STRICT=1 makes it fatal.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

import pluggy

from ..contract import hooks
from ..contract.errors import RequestError, did_you_mean
from ..contract.events import Event, RunStarted

LOCAL_FILE = "ganbench_plugins.py"
BUILTINS = ("ganbench.builtin", "ganbench.zoo")
# What our own distributions offer that are installed separately, so that a name of theirs says what to install.
SEPARATE: dict[str, dict[str, str]] = {
    "ganbench-pacgan": {
        "generator": "pacgan-mlp pacgan-dcgan",
        "discriminator": "packed maxout pacgan-dcgan",
        "suite": "pacgan-grid pacgan-ring pacgan-ring-short pacgan-stacked",
    },
    "ganbench-ray": {"executor": "ray"},
    "ganbench-slurm": {"executor": "slurm"},
    "ganbench-sngan": {"generator": "sngan", "discriminator": "sngan", "suite": "sngan-cifar"},
    "ganbench-vision": {
        "dataset": "mnist fashion-mnist stacked-mnist cifar-10 cifar-100 stl-10 celeba image-folder image-npz",
        "features": "mnist",
        "metric": "mnist-modes",
        "suite": "cifar10 failures-real-pictures pictures vision-mnist",
    },
}


def explain_missing(kind: str, name: str, valid: Iterable[str]) -> str:
    """Return the end of an error line about a name that no plugin offers: what to install, or else the nearest name."""
    for distribution, offered in SEPARATE.items():
        if name in offered.get(kind, "").split():
            return f"it comes with {distribution}, which is not installed here: 'pip install {distribution}' does that"
    return did_you_mean(name, valid)


@dataclass(frozen=True)
class Origin:
    """The distribution that a plugin came from."""

    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".strip()


@dataclass(eq=False)
class Plugins:
    """The plugins of this process.

    Attributes:
        manager: Those that were loaded.
        origins: The distribution of each, by plugin name.
        broken: Why each of the others was left out, by plugin name.
        files: The local plugin files among them.
    """

    manager: pluggy.PluginManager
    origins: dict[str, Origin] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    def leave_out(self, name: str, error: BaseException, *, fatal: bool = True) -> None:
        """Leave a plugin out with a warning. Raises RequestError if GANBENCH_STRICT=1, unless `fatal` is False."""
        if self.manager.has_plugin(name):
            self.manager.unregister(name=name)
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        self.broken[name] = reason
        warn_or_raise(f"plugin {name!r} is left out: {reason}", error, fatal=fatal)

    def emit(self, event: Event) -> None:
        """Send an event to all listeners; a listener that raises is disabled."""
        for impl in self.manager.hook.ganbench_event.get_hookimpls():
            try:
                impl.function(event=event)
            except (Exception, SystemExit) as error:
                if not isinstance(event, RunStarted):  # once trials run, a listener must not end them:
                    with contextlib.suppress(Exception):  # not even by a warning if standard error is closed
                        self.leave_out(impl.plugin_name, error, fatal=False)
                    continue
                self.leave_out(impl.plugin_name, error)


@functools.cache
def load_plugins(files: tuple[str, ...] = ()) -> Plugins:
    """Load all plugins, with the local `files`; return the same object for the same files.

    Raises RequestError if GANBENCH_PLUGINS names a plugin that is not installed, or, if GANBENCH_STRICT=1, for one that
    fails to load.
    """
    manager = pluggy.PluginManager("ganbench")
    manager.add_hookspecs(hooks)
    plugins = Plugins(manager, files=files)
    with redirect_prints():
        for module in BUILTINS:
            own = Origin("ganbench", own_version())
            _register(plugins, module, functools.partial(importlib.import_module, module), own)
        for point in _selected_entry_points(entry_points(group="ganbench")):
            dist = point.dist
            origin = Origin(dist.name, dist.version) if dist else Origin(point.module, "")
            _register(plugins, point.name, point.load, origin)
        for file in files:
            _register(plugins, file, functools.partial(_load_file, file), _file_origin(file))
    return plugins


def own_version() -> str:
    """The version of ganbench itself."""
    return str(importlib.import_module("ganbench").__version__)  # by name: the contract must not import the package


def redirect_prints() -> contextlib.AbstractContextManager[object]:
    """Send what plugins print to standard error: standard output belongs to the command."""
    return contextlib.redirect_stdout(sys.stderr)


def warn_or_raise(line: str, error: BaseException | None = None, *, fatal: bool = True) -> None:
    """Warn of a fault among the plugins. Raises RequestError if GANBENCH_STRICT=1, unless `fatal` is False."""
    if fatal and os.environ.get("GANBENCH_STRICT", "0") not in ("", "0"):
        raise RequestError(line) from error
    warnings.warn(line, stacklevel=2)


def local_files(*folders: Path) -> tuple[str, ...]:
    """Return the local plugin files of `folders`, as absolute paths without duplicates."""
    found = [(folder / LOCAL_FILE).resolve() for folder in folders]
    return tuple(dict.fromkeys(str(file) for file in found if file.is_file()))


def _selected_entry_points(points: Iterable[EntryPoint]) -> list[EntryPoint]:
    """The entry points that GANBENCH_PLUGINS allows, sorted by name; of two with one name, both."""
    installed = sorted(points, key=lambda point: (point.name, point.dist.name if point.dist else ""))
    wanted = os.environ.get("GANBENCH_PLUGINS")
    if wanted is None:
        return installed
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    known = {point.name for point in installed}
    for name in names:
        if name not in known:
            raise RequestError(f"GANBENCH_PLUGINS: no plugin {name!r} is installed; {did_you_mean(name, known)}")
    return [point for point in installed if point.name in names]


def _register(plugins: Plugins, name: str, load_module: Callable[[], object], origin: Origin) -> None:
    if name in plugins.origins:
        reason = f"its name is taken by {plugins.origins[name]}"
        plugins.leave_out(f"{name} of {origin}", ValueError(reason))
        return
    try:
        module = load_module()
        contract = getattr(module, "ganbench_contract", hooks.CONTRACT_VERSION)
        if not isinstance(contract, int):
            raise TypeError(f"ganbench_contract = {contract!r} must be a whole number")
        if contract > hooks.CONTRACT_VERSION:
            raise ImportError(
                f"made for plugin contract {contract}, and this ganbench knows {hooks.CONTRACT_VERSION}: "
                "upgrade ganbench"
            )
        plugins.manager.register(module, name=name)
        _refuse_unknown_hooks(plugins.manager, name)
    except (Exception, SystemExit) as error:
        plugins.leave_out(name, error)
    else:
        plugins.origins[name] = origin


def _refuse_unknown_hooks(manager: pluggy.PluginManager, name: str) -> None:
    """Raise AttributeError for a hook that does not exist, which pluggy would ignore."""
    known = [*hooks.HOOKS.values(), "ganbench_event"]
    for caller in manager.get_hookcallers(manager.get_plugin(name)) or ():
        if caller.name not in known:
            raise AttributeError(f"there is no hook {caller.name!r}; {did_you_mean(caller.name, known)}")


def _load_file(file: str) -> ModuleType:
    """Import a plugin file under a name of its own, so that files of two folders do not clash."""
    name = "ganbench_plugins_" + hashlib.sha256(file.encode()).hexdigest()[:12]
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _file_origin(file: str) -> Origin:
    """The origin of a local file; a digest of its contents stands for a version."""
    try:
        digest = hashlib.sha256(Path(file).read_bytes()).hexdigest()[:12]
    except OSError:
        digest = "missing"
    return Origin(Path(file).name, digest)
