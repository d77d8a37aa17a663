"""Import paths of earlier versions, which keep working for one release: each with one warning that names the new one."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

# What a plugin could have imported: a module, and what it is called now. Names in it that are called otherwise, too.
MODULES: Mapping[str, str] = {
    "ganbench.catalog": "ganbench.registry.registry",
    "ganbench.checks": "ganbench.testing",
    "ganbench.checks.recordings": "ganbench.testing.helpers.recordings",
    "ganbench.comparison": "ganbench.results.comparison",
    "ganbench.comparison.statistics": "ganbench.results.statistics",
    "ganbench.errors": "ganbench.contract.errors",
    "ganbench.events": "ganbench.contract.events",
    "ganbench.hookspecs": "ganbench.contract.hooks",
    "ganbench.latents": "ganbench.training.noise",
    "ganbench.observation.gradient": "ganbench.training.input_gradient",
    "ganbench.options": "ganbench.contract.options",
    "ganbench.plan": "ganbench.suite.expand",
    "ganbench.plugins": "ganbench.registry.plugins",
    "ganbench.pool": "ganbench.training.data",
    "ganbench.protocols": "ganbench.contract.components",
    "ganbench.records": "ganbench.contract.records",
    "ganbench.seeding": "ganbench.training.seeding",
    "ganbench.store": "ganbench.results.store",
    "ganbench.zoo.sabotage": "ganbench.zoo.faults",
    "ganbench.zoo.truth": "ganbench.zoo.ground_truth",
}
NAMES: Mapping[str, Mapping[str, str]] = {
    "ganbench.catalog": {"Catalog": "Registry", "load": "load_registry"},
    "ganbench.checks": {"Subject": "Candidate", "Violation": "ContractError", "carry_out": "run_checks"},
    "ganbench.latents": {"draw": "sample_noise"},
    "ganbench.plan": {"amended": "with_overrides", "select": "select_trials", "unfold": "expand"},
    "ganbench.plugins": {"load": "load_plugins"},
    "ganbench.pool": {"Pool": "DeviceDataset"},
    "ganbench.protocols": {"Judge": "DiscriminatorFn", "JudgeOfGames": "Metric"},
    "ganbench.records": {"Breakdown": "NonFinite"},
    "ganbench.seeding": {"isolated": "deterministic", "plant": "seed_everything", "undisturbed": "preserve_rng_state"},
}
PUBLIC: Mapping[str, str] = {"Breakdown": "NonFinite", "Judge": "DiscriminatorFn"}  # of the package itself


class MovedModules:
    """An import hook for the old paths. It comes last, so that it costs nothing where an import is found."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to import a module under its old name; None for any other."""
        return ModuleSpec(name, self, is_package=True) if name in MODULES else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return a module that stands for the one in its new place."""
        warn_moved(spec.name, MODULES[spec.name])
        return _Moved(spec.name, importlib.import_module(MODULES[spec.name]))

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: the module in the new place has been run."""


class _Moved(ModuleType):
    """A module under its old name: attributes are those of the new one."""

    def __init__(self, name: str, moved: ModuleType) -> None:
        super().__init__(name, moved.__doc__)
        self.__dict__["_moved"] = moved

    def __getattr__(self, name: str) -> object:
        return getattr(self.__dict__["_moved"], NAMES.get(self.__name__, {}).get(name, name))


def install() -> None:
    """Let the old import paths work."""
    if not any(isinstance(finder, MovedModules) for finder in sys.meta_path):
        sys.meta_path.append(MovedModules())


def warn_moved(old: str, new: str) -> None:
    """Warn of an old name, which is shown to users: it stops working with the next release."""
    warnings.warn(f"{old} is now {new}; the old name goes with the next release", FutureWarning, stacklevel=2)
