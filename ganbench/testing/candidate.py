"""The components under check: which ones are meant, and how each is built and for which data."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from ..contract.errors import RequestError, did_you_mean
from ..contract.hooks import HOOKS
from ..contract.records import ComponentRef, Components, DataSpec, Evaluation, TermRef, Training, Trial
from ..registry.plugins import local_files
from ..registry.registry import Registration, Registry, load_registry
from .check import RENAMED, ContractError, NotApplicable

BUILT_INS = "ganbench"  # their distribution
NETWORKS = ("generator", "discriminator")
BUILT_FOR_DATA = (*NETWORKS, "augmentation")  # kinds whose `build` is given what the data looks like
GIVEN = {**dict.fromkeys(BUILT_FOR_DATA, "data"), "optimizer": "parameters"}  # what `build` is given beside options

# Data that components are tried on: the first `MAX_SPECS` that they do not skip.
SPECS = (
    DataSpec("points", (2,), modes=8),
    DataSpec("images", (1, 8, 8), value_range=(-1.0, 1.0), classes=10),
    DataSpec("images", (3, 32, 32), value_range=(-1.0, 1.0), classes=10),
    DataSpec("images", (1, 28, 28), value_range=(0.0, 1.0), classes=10),
    DataSpec("images", (3, 48, 48), value_range=(-1.0, 1.0)),
    DataSpec("images", (3, 64, 64), value_range=(-1.0, 1.0)),
    DataSpec("points", (4,), condition=(4,)),
    DataSpec("images", (3, 32, 32), value_range=(-1.0, 1.0), condition=(3, 8, 8)),
)
MAX_SPECS = 2
SETTINGS_OF = {
    "update": ("update",),
    "optimizer": ("optimizer_g", "optimizer_d"),
}  # training settings that name a component of a kind
BATCH_SIZE = 60  # of the trials that `skip` is asked about: divides into packs of 2 to 6
NETWORK_OPTION = "download"  # of components that fetch files which are not here


@dataclass(frozen=True)
class Candidate:
    """A component under check.

    Attributes:
        entry: The component, as its plugin registered it.
        registry: Where it, and whatever it is tried with, is built from.
        options: Replace its defaults, and those that it declares in `check_options`.
        seed: Seeds torch's global stream before it is built.
    """

    entry: Registration
    registry: Registry
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    @property
    def id(self) -> str:
        return f"{self.entry.kind}/{self.entry.name}"

    @property
    def check_options(self) -> dict[str, Any]:
        """The options that it is built with: those declared for checking, then those given."""
        return {**getattr(self.entry.build, "check_options", {}), **self.options}

    @property
    def expected_failures(self) -> Mapping[str, str]:
        """The checks that the component declares to fail, each with its reason."""
        declared: Mapping[str, str] = getattr(self.entry.build, "expected_failures", {})
        for name in RENAMED.keys() & declared.keys():
            line = f"{self.id}: the check {name!r} is now {RENAMED[name]!r}; the old name goes with the next release"
            warnings.warn(line, FutureWarning, stacklevel=2)
        return {RENAMED.get(name, name): reason for name, reason in declared.items()}

    def ref(self, **options: Any) -> ComponentRef:
        """Return the component as a suite would name it, with checked options."""
        chosen = {**self.check_options, **options}
        if NETWORK_OPTION in self.entry.options:  # a check reaches no network: it says what is not here instead
            chosen[NETWORK_OPTION] = False
        return self.registry.check(self.entry.kind, ComponentRef(self.entry.name, chosen), self.id)

    def build(self, *given: Any, seed: int | None = None, **options: Any) -> Any:
        """Build the component under a random seed, as a trial does. Raise NotApplicable if its data files are missing."""
        torch.manual_seed(self.seed if seed is None else seed)
        try:
            return self.registry.build_anew(self.entry.kind, self.ref(**options), *given)
        except FileNotFoundError as error:
            raise NotApplicable(f"its files are not here: {error}") from error

    def build_for_data(self, seed: int | None = None, **options: Any) -> Any:
        """Build the component, for the first data that it does not skip with these options if it is built for data."""
        kind = self.entry.kind
        given = given_for(kind, self.specs(**options)[0] if kind in BUILT_FOR_DATA else SPECS[0])
        return self.build(*given, seed=seed, **options)

    def why_skipped(self, trial: Trial, **options: Any) -> str | None:
        """Return why the component cannot serve a trial, in which it takes its place, or None."""
        kind, ref = self.entry.kind, self.ref(**options)
        parts: dict[str, Any] = {}
        if kind in ("dataset", "loss", "augmentation", *NETWORKS):
            parts = {kind: ref}
        elif kind == "regularizer":
            parts = {"regularizers": (ref,)}
        elif kind == "term":
            parts = {"terms": (TermRef(ref.name, ref.options),)}
        named: dict[str, Any] = dict.fromkeys(SETTINGS_OF.get(kind, ()), ref)
        evaluation = Evaluation(metrics=(ref,)) if kind == "metric" else trial.evaluation
        trial = replace(
            trial,
            components=replace(trial.components, **parts),
            training=replace(trial.training, **named),
            evaluation=evaluation,
            diagnoses=(ref,) if kind == "diagnosis" else (),
        )
        return self.registry.skip(kind, ref, trial)

    def specs(self, **options: Any) -> list[DataSpec]:
        """Return the first data specs that its `skip` accepts, of those that it declares in `check_data` if it does.

        Raise ContractError if it accepts none.
        """
        offered = tuple(getattr(self.entry.build, "check_data", SPECS))
        accepted = [spec for spec in offered if self.why_skipped(trial_on(spec), **options) is None]
        if not accepted:
            self._refuse_missing_files(**options)
            raise ContractError(
                f"skips every data set it was offered: {', '.join(str(spec.shape) for spec in offered)}",
                cause="its skip(trial) returns a reason for data that it could serve",
                fix="return None from skip(trial) where trial.data suits",
            )
        return accepted[:MAX_SPECS]

    def _refuse_missing_files(self, **options: Any) -> None:
        """Raise NotApplicable if the component, whatever it is built for, asks for files that are not here."""
        for spec in SPECS:
            try:
                self.build(*([spec] if self.entry.kind in NETWORKS else []), **options)
            except NotApplicable:
                raise
            except Exception:  # what its `skip` says before
                continue


def example_parameters() -> list[torch.nn.Parameter]:
    """Return weights that an optimizer is tried on."""
    return [torch.nn.Parameter(torch.tensor([[3.0, -2.0], [1.0, 0.5]])), torch.nn.Parameter(torch.tensor([-1.0, 4.0]))]


def given_for(kind: str, spec: DataSpec) -> tuple[Any, ...]:
    """Return what `build` of a kind is given beside its options, for such data."""
    if kind in BUILT_FOR_DATA:
        return (spec,)
    return (example_parameters(),) if kind == "optimizer" else ()


def trial_on(spec: DataSpec, dataset: str = "check") -> Trial:
    """Return a trial on such data, as `skip(trial)` is asked about; its components are placeholders."""
    none = ComponentRef("none")
    adam = ComponentRef("adam", {"lr": 2e-4, "betas": [0.5, 0.999], "eps": 1e-8, "weight_decay": 0.0})
    return Trial(
        id="check",
        suite="check",
        dataset=dataset,
        method="check",
        seed=0,
        data=spec,
        components=Components(ComponentRef(dataset), none, none, none),
        training=Training(steps=100, batch_size=BATCH_SIZE, optimizer_g=adam, optimizer_d=adam),
        evaluation=Evaluation(metrics=()),
        diagnoses=(),
    )


# --- selecting ---------------------------------------------------------------------------------------


def select_candidates(
    wanted: Sequence[str | ModuleType] = (), options: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Candidate]:
    """Return the components to check.

    Args:
        wanted: Each a component ("name" or "kind/name"), a distribution, the path of a plugin file, or a plugin's
            module; without any, the components of every plugin but the built-ins.
        options: Options to build them with, by "kind/name", over their defaults.

    Raises:
        RequestError: For a name that is none of these, with the nearest one.
    """
    names = [_name_of(what) if isinstance(what, ModuleType) else what for what in wanted]
    files = [str(Path(name).resolve()) for name in names if _is_plugin_file(name)]
    registry = load_registry(tuple(dict.fromkeys([*local_files(Path.cwd()), *files])))
    for file in files:
        if why := registry.plugins.broken.get(file):
            raise RequestError(f"{file} cannot be loaded: {why}")
    every = [entry for kind in HOOKS for entry in registry.entries(kind)]
    chosen: dict[str, Registration] = {}
    for name in names:
        chosen |= {f"{e.kind}/{e.name}": e for e in _find(name, every, registry)}
    if not names:
        chosen = {f"{e.kind}/{e.name}": e for e in every if e.origin.distribution != BUILT_INS}
    given = options or {}
    for name in given:
        if name not in chosen:
            raise RequestError(
                f"options are given for {name!r}, which is not among the components; {did_you_mean(name, chosen)}"
            )
    return [Candidate(entry, registry, given.get(name, {})) for name, entry in chosen.items()]


def _find(name: str, every: Sequence[Registration], registry: Registry) -> list[Registration]:
    if _is_plugin_file(name):
        found = [entry for entry in every if entry.plugin == str(Path(name).resolve())]
        if not found:
            raise RequestError(
                f"{name} offers no component; write a hook such as ganbench_losses under @ganbench.hookimpl"
            )
        return found
    kind, _, bare = name.rpartition("/")
    found = [e for e in every if e.name == bare and (not kind or e.kind == kind)]
    found = found or [e for e in every if name in (e.origin.distribution, e.plugin)]
    listeners = {n for plugin, origin in registry.plugins.origins.items() for n in (plugin, origin.distribution)}
    if not found and name not in listeners:  # a plugin that only listens to events has nothing to check
        _refuse_other_paths(name)
        known = {e.name for e in every} | {e.origin.distribution for e in every}
        broken = "".join(f"; plugin {p!r} failed to load: {why}" for p, why in registry.plugins.broken.items())
        raise RequestError(
            f"no component, distribution or file is called {name!r}; {did_you_mean(name, known)}{broken}"
        )
    return found


def _is_plugin_file(name: str) -> bool:
    path = Path(name)
    if path.name == "__init__.py":
        raise RequestError(f"{name} is part of a package, which has to be installed; give its distribution's name then")
    if path.suffix == ".py" and not path.is_file():
        raise RequestError(f"there is no file {name}")
    return path.suffix == ".py"


def _refuse_other_paths(name: str) -> None:
    """Raise RequestError if `name`, which no component has, is a folder or another file."""
    if name and Path(name).is_dir():
        raise RequestError(f"{name} is a folder; give a plugin's .py file, or install the project and give its name")
    if Path(name).exists():
        raise RequestError(f"{name} is no Python file; give a plugin's .py file, or a name")


def _name_of(module: ModuleType) -> str:
    """Return the plugin's name if the module is an entry point; else the file it was loaded from."""
    from importlib.metadata import entry_points

    for point in entry_points(group="ganbench"):
        if point.value == module.__name__:
            return point.name
    if module.__file__ is None:
        raise RequestError(f"module {module.__name__!r} has no file")
    return module.__file__
