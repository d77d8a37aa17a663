"""Trials that take a second, and a small stored run for checking reports."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from ...contract.failures import Status
from ...contract.records import (
    Artifacts,
    ComponentRef,
    Components,
    DataSpec,
    Evidence,
    Finding,
    History,
    NonFinite,
    Remedy,
    Score,
    Severity,
    Trial,
    TrialResult,
)
from ...registry.registry import Registry
from ...results.store import Store
from ...suite.expand import expand
from ...suite.parse import Suite, parse_suite
from ..candidate import trial_on

if TYPE_CHECKING:
    from ...results.comparison import StoredComparison

RING = {"ring": {"dataset": {"name": "ring", "sigma": 0.05, "size": 2000, "held_out": 500}}}
SMALL_MLP = {"generator": {"name": "mlp", "width": 16}, "discriminator": {"name": "mlp", "width": 16}}


def specs_of(suite: Suite, registry: Registry) -> dict[str, DataSpec]:
    """Return the data spec of each data set of a suite, by label; errors of building one are not caught."""
    return {label: registry.build("dataset", entry.ref).spec for label, entry in suite.datasets.items()}


def trials_of(table: Mapping[str, Any], registry: Registry) -> list[Trial]:
    """Return the trials of a suite table, with the plugin files of `registry`."""
    suite = parse_suite(table, Path("check.toml"))
    return expand(suite, registry, specs_of(suite, registry), plugin_files=registry.plugins.files)


def small_trial(
    registry: Registry, *, steps: int = 30, datasets: Any = RING, diagnoses: Any = (), **method: Any
) -> Trial:
    """Return a short trial of a small method; `method` replaces keys of its table."""
    table = {
        "datasets": datasets,
        "metrics": ["energy-distance"],
        "diagnoses": list(diagnoses),
        "seeds": 1,
        "methods": {"small": {"loss": "non-saturating", **SMALL_MLP, **method}},
        "training": {"steps": steps, "batch_size": 16},
        "evaluation": {"at": [1.0], "samples": 100},
    }
    return trials_of(table, registry)[0]


METHODS = ("plain", "r1_r2 & 50% | <b>σ</b>")  # the second has special characters of HTML, LaTeX and Markdown
DATASETS = ("ring", "digits “ü”")
MLP = ComponentRef("mlp")
STEPS = 200


@contextmanager
def store_run(results: Sequence[TrialResult]) -> Iterator[StoredComparison]:
    """Store a run with these results while the block lasts, and provide its comparison."""
    from ...results.comparison import load

    with TemporaryDirectory(prefix="ganbench-check-") as folder:
        store = Store(Path(folder) / "run")
        facts = {
            "suite": "check",
            "summary": "Two methods on two data sets.",
            "source": "check.toml",
            "trials": [result.trial.id for result in results],
        }
        with store.begin_run(facts, {"ganbench": "0", "command": "ganbench run", "plugins": {}}):
            for result in results:
                store.write(result)
        yield load(store.folder)


@functools.cache
def mixed() -> tuple[TrialResult, ...]:
    """Return results for two methods, data sets and seeds: one diverged, one failed, two have findings."""
    results = [_done(trial) for trial in _trials()]
    results[1] = _diverged(results[1])
    results[2] = replace(results[2], findings=(_collapse("failure"),), verdicts=("mode-collapse",))
    results[4] = replace(results[4], findings=(_collapse("warning"),), verdicts=("inconclusive",))
    results[7] = _failed(results[7])
    return tuple(results)


@functools.cache
def all_failed() -> tuple[TrialResult, ...]:
    """Return the same trials with the status "error": no scores and no findings."""
    return tuple(_failed(_done(trial)) for trial in _trials())


def _trials() -> Iterable[Trial]:
    number = 0
    for dataset in DATASETS:
        for method in METHODS:
            for seed in range(2):
                number += 1
                yield replace(
                    trial_on(DataSpec("images", (1, 8, 8), value_range=(-1.0, 1.0), classes=10)),
                    id=f"trial-{number}",
                    dataset=dataset,
                    method=method,
                    seed=seed,
                    components=Components(ComponentRef("digits"), MLP, MLP, ComponentRef("hinge")),
                )


def _done(trial: Trial) -> TrialResult:
    level = (0.1 if trial.method == METHODS[0] else 0.2) + 0.01 * trial.seed
    values: dict[str, tuple[float, str]] = {
        "energy-distance": (level, "lower"),
        "modes.covered": (10 - level, "higher"),
    }
    scores = tuple(
        Score(step, name, value * STEPS / step, better, 0.01, 100, 100, 0.1)  # type: ignore[arg-type]
        for step in (STEPS // 2, STEPS)
        for name, (value, better) in values.items()
    )
    return TrialResult(
        trial,
        Status.DONE,
        steps=STEPS,
        train_seconds=1.25,
        seconds=1.5,
        device="cpu",
        threads=1,
        scores=scores,
        verdicts=("no-failure-found",),
        # For one method alone: drawing curves takes most of the time of a report.
        artifacts=_arrays() if (trial.dataset, trial.method) == (DATASETS[0], METHODS[0]) else None,
    )


def _arrays() -> Artifacts:
    steps = np.arange(10, STEPS + 1, 10)
    columns = {"step": steps, "loss_d": 1 / steps, "coverage": np.where(steps % 50 == 0, 0.9, np.nan)}
    images = np.random.default_rng(0).uniform(-1, 1, (32, 1, 8, 8)).astype(np.float32)
    return Artifacts(History(columns, STEPS), samples=images, reals=images)


def _diverged(result: TrialResult) -> TrialResult:
    history = History({"step": np.array([10, 20]), "loss_d": np.array([1.0, np.inf])}, STEPS)
    history = replace(history, nonfinite=NonFinite(20, "discriminator", "net.0", "output"))
    finding = Finding(
        "divergence",
        "now",
        "failure",
        1.0,
        20,
        "The output of layer 'net.0' is <NaN>.",
        {"logit_max": Evidence(None, 1e4, 20)},
        Remedy(advice="a lower lr"),
    )
    return replace(
        result,
        status=Status.DIVERGED,
        reason="not finite since step 20",
        steps=20,
        scores=(),
        findings=(finding,),
        verdicts=("divergence",),
        artifacts=Artifacts(history),
    )


def _collapse(severity: Severity) -> Finding:
    evidence = {"coverage": Evidence(0.4, 0.8, 180)}
    return Finding(
        "mode-collapse", "now", severity, 0.9, 100, "60% are not reached.", evidence, Remedy(advice="r1_r2 & patience")
    )


def _failed(result: TrialResult) -> TrialResult:
    return TrialResult(result.trial, Status.ERROR, "RuntimeError: a_b | <c> & {d}", device="cpu", threads=1)
