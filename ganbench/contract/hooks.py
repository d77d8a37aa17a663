"""The plugin contract: one hook per kind of component, each returning an iterable of `ganbench.Component`.

A hook only names components; `build` is called later, in the process that trains. `contract/components.py` says what
a built component of each kind must offer.
"""

from collections.abc import Iterable

import pluggy

from .events import Event
from .records import Component

CONTRACT_VERSION = 1  # a plugin module may state `ganbench_contract = N`; one newer than this is refused

hookspec = pluggy.HookspecMarker("ganbench")
hookimpl = pluggy.HookimplMarker("ganbench")


@hookspec
def ganbench_generators() -> Iterable[Component]:  # type: ignore[empty-body]
    """Networks that map noise to samples: `build(data, **options)`."""


@hookspec
def ganbench_discriminators() -> Iterable[Component]:  # type: ignore[empty-body]
    """Networks that map samples to logits: `build(data, **options)`."""


@hookspec
def ganbench_losses() -> Iterable[Component]:  # type: ignore[empty-body]
    """What each player minimizes: `build(**options)`."""


@hookspec
def ganbench_regularizers() -> Iterable[Component]:  # type: ignore[empty-body]
    """Penalties added to a player's loss, or actions after its updates: `build(**options)`."""


@hookspec
def ganbench_terms() -> Iterable[Component]:  # type: ignore[empty-body]
    """Parts of a player's objective beside the adversarial loss: `build(**options)`."""


@hookspec
def ganbench_augmentations() -> Iterable[Component]:  # type: ignore[empty-body]
    """What samples go through before D sees them in training: `build(data, **options)`."""


@hookspec
def ganbench_updates() -> Iterable[Component]:  # type: ignore[empty-body]
    """How the players' weights change in one step: `build(**options)`."""


@hookspec
def ganbench_optimizers() -> Iterable[Component]:  # type: ignore[empty-body]
    """Optimizers of a player's weights: `build(parameters, **options)` returns a `torch.optim.Optimizer`."""


@hookspec
def ganbench_datasets() -> Iterable[Component]:  # type: ignore[empty-body]
    """Training and held-out samples: `build(**options)`."""


@hookspec
def ganbench_features() -> Iterable[Component]:  # type: ignore[empty-body]
    """Feature extractors that metrics share: `build(**options)`."""


@hookspec
def ganbench_metrics() -> Iterable[Component]:  # type: ignore[empty-body]
    """Scores of samples: `build(**options)`."""


@hookspec
def ganbench_diagnoses() -> Iterable[Component]:  # type: ignore[empty-body]
    """Searches for a failure in a run's history: `build(**options)`."""


@hookspec
def ganbench_reports() -> Iterable[Component]:  # type: ignore[empty-body]
    """Writers of a comparison: `build(**options)`."""


@hookspec
def ganbench_executors() -> Iterable[Component]:  # type: ignore[empty-body]
    """Ways to run trials: `build(**options)`."""


@hookspec
def ganbench_suites() -> Iterable[Component]:  # type: ignore[empty-body]
    """Suites by name: `build()` returns the path of a TOML file."""


@hookspec
def ganbench_event(event: Event) -> None:
    """Receive an event (`contract/events.py`), in the process of `ganbench run`."""


HOOKS = {
    "generator": "ganbench_generators",
    "discriminator": "ganbench_discriminators",
    "loss": "ganbench_losses",
    "regularizer": "ganbench_regularizers",
    "term": "ganbench_terms",
    "augmentation": "ganbench_augmentations",
    "update": "ganbench_updates",
    "optimizer": "ganbench_optimizers",
    "dataset": "ganbench_datasets",
    "features": "ganbench_features",
    "metric": "ganbench_metrics",
    "diagnosis": "ganbench_diagnoses",
    "report": "ganbench_reports",
    "executor": "ganbench_executors",
    "suite": "ganbench_suites",
}
