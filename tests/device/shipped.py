"""Every shipped network, loss, regularizer, optimizer and metric as small trials, for tests and for `benchmarks/`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from device.published import RECIPES
from small_suites import suite_table, trials_of

import ganbench
from ganbench.registry.plugins import BUILTINS
from ganbench.registry.registry import Registration, Registry, load_registry
from ganbench.trial import LiveTrial

RING = {"ring": {"dataset": {"name": "ring", "sigma": 0.05, "size": 2000, "held_out": 1000}}}
DIGITS = {"digits": {}}
NORMALIZATIONS = ("none", "batch", "layer", "spectral")
NETWORKS = ("generator", "discriminator")
COMBINED = {
    "mlp",
    "conv",
}  # each generator with each discriminator; a discriminator of neither name goes with its own, or conv
TRAINING = {"steps": 4, "batch_size": 16, "observations": 2}


def trials() -> dict[str, ganbench.Trial]:
    """A short trial for each shipped pair of networks on points and on images, and for each other component."""
    registry = load_registry()
    found: dict[str, ganbench.Trial] = {}
    for kind, datasets in (("points", RING), ("images", DIGITS)):
        for generator, discriminator in _pairs(registry, datasets):
            pair = f"{generator['name']}/{discriminator['name']}"
            found[f"{kind}: {pair}"] = _trial(datasets, generator=generator, discriminator=discriminator)
        for normalization in NORMALIZATIONS:
            name = "mlp" if kind == "points" else "conv"
            pair = {key: {"name": name, "width": 8, "normalization": normalization} for key in NETWORKS}
            found[f"{kind}: {name}, normalization {normalization}"] = _trial(datasets, **pair)
    for loss in shipped("loss"):
        needs = getattr(registry.build("loss", ganbench.ComponentRef(loss.name)), "needs", ())
        if needs:
            auxiliary = "classes" if "classes" in needs else "embedding"
            networks = _small("conv") | {"discriminator": {"name": "conv", "width": 8, "auxiliary": auxiliary}}
            found[f"loss {loss.name}"] = _trial(DIGITS, loss=loss.name, **networks)
        else:
            found[f"loss {loss.name}"] = _trial(RING, loss=loss.name)
    for regularizer in shipped("regularizer"):
        found[f"regularizer {regularizer.name}"] = _trial(DIGITS, regularizers=[regularizer.name], **_small("conv"))
    for optimizer in ("adam", "adamw", "sgd", "rmsprop"):
        found[f"optimizer {optimizer}"] = _trial(RING, optimizer={"name": optimizer, "lr": 1e-3})
    for dataset in shipped("dataset"):
        small = {"size": 500, "held_out": 300} if {"size", "held_out"} <= dataset.options.keys() else {}
        found[f"data set {dataset.name}"] = _trial({"data": {"dataset": {"name": dataset.name, **small}}})
    schedule = {"ema": 0.9, "d_warmup": 2, "lr_decay": "cosine", "d_steps": 2, "g_steps": 2}
    found["averaging, warm-up, decay, two updates a step"] = _trial(DIGITS, **_small("conv"), **schedule)
    return found


def evaluated_trials() -> dict[str, ganbench.Trial]:
    """A trial for each suite kind with every metric that can score it here and all diagnoses."""
    metrics = [metric.name for metric in shipped("metric") if _has_weights(metric)]
    return {
        "points": _trial(RING, metrics=metrics, diagnoses="all", steps=40, observations=8),
        "images": _trial(DIGITS, metrics=metrics, diagnoses="all", steps=40, observations=8, ema=0.9, **_small("conv")),
    }


def shipped(kind: str) -> list[Registration]:
    """The components of a kind that ganbench itself ships, hidden ones too."""
    return [entry for entry in load_registry().entries(kind) if entry.plugin in BUILTINS]


def build(trial: ganbench.Trial, device: str) -> LiveTrial:
    """The live objects of a trial on `device`."""
    registry = load_registry()
    torch.manual_seed(0)
    dataset = registry.build("dataset", trial.components.dataset)
    return LiveTrial.build(replace(trial, device=device), dataset, registry, torch.device(device))


def _has_weights(metric: Registration) -> bool:
    """Whether the weights of its features are here, if it has any."""
    features = load_registry().build("metric", ganbench.ComponentRef(metric.name)).features
    try:
        if features is not None:
            features.prepare()
    except OSError:
        return False
    return True


def _pairs(registry: Registry, datasets: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every generator with every discriminator that serve the data, but for those of a pair of their own."""
    probe = _trial(datasets)
    generators, discriminators = (
        [{"name": entry.name} for entry in shipped(kind) if _serves(registry, kind, entry.name, probe)]
        for kind in NETWORKS
    )
    partnered = {g["name"] for g in generators} & {d["name"] for d in discriminators} - COMBINED
    for generator in generators:
        for discriminator in discriminators:
            names = {generator["name"], discriminator["name"]}
            if len(names) > 1 and names & (partnered | RECIPES.keys()):
                continue
            yield _narrow(registry, "generator", generator), _narrow(registry, "discriminator", discriminator)


def _serves(registry: Registry, kind: str, name: str, trial: ganbench.Trial) -> bool:
    return registry.skip(kind, ganbench.ComponentRef(name), trial) is None


def _narrow(registry: Registry, kind: str, network: dict[str, Any]) -> dict[str, Any]:
    return network | ({"width": 8} if "width" in registry.find(kind, network["name"]).options else {})


def _small(network: str) -> dict[str, Any]:
    return {key: {"name": network, "width": 8} for key in NETWORKS}


def _trial(
    datasets: dict[str, Any], metrics: Any = ("energy-distance",), diagnoses: Any = (), **settings: Any
) -> ganbench.Trial:
    """A trial of one method on a data set; settings are those of a method or of training."""
    names = ("steps", "observations", "ema", "d_warmup", "lr_decay")
    training = TRAINING | {name: settings.pop(name) for name in names if name in settings}
    method = {"loss": "non-saturating", **_small("mlp"), **settings}
    table = suite_table(
        datasets=datasets,
        metrics=list(metrics),
        diagnoses=diagnoses if isinstance(diagnoses, str) else list(diagnoses),
        methods={"method": method},
        training=training,
        evaluation={"at": [0.5, 1.0], "samples": 200},
    )
    (trial,) = trials_of(table)
    return trial
