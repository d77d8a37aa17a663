"""Remedies that fit the run: what it has already is not advised, and a convolutional GAN keeps its kind of networks.

A diagnosis sees a history and knows nothing of how the run is set up. What it recommends was tried on small networks;
for pictures it is brought in line with the run here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..contract.failures import Failure
from ..contract.records import ComponentRef, Finding, Player, Remedy, Trial
from ..registry.registry import Registry

PLAIN_NETWORK = "mlp"  # what remedies for small data name
UNBALANCED = 4.0  # ratio of learning rates from which both players are given the same
STRONGER_PENALTY, SLOWER = 10.0, 0.5  # factors, where a run has what is recommended and fails all the same
KEPT_OPTIONS = ("lr", "betas", "momentum", "weight")  # of optimizers and penalties; the others are the defaults then
OTHER: dict[Player, Player] = {"generator": "discriminator", "discriminator": "generator"}
PENALIZED = (Failure.OVERPOWERING_DISCRIMINATOR, Failure.OSCILLATION, Failure.DIVERGENCE, Failure.MEMORIZATION)


def fit_remedies(findings: Iterable[Finding], trial: Trial, registry: Registry) -> tuple[Finding, ...]:
    """Return findings whose remedies fit a trial on pictures; of other data they are as they were."""
    if trial.data.kind != "images":
        return tuple(findings)
    return tuple(
        replace(finding, remedy=fit_remedy(finding.remedy, finding.diagnosis, trial, registry)) for finding in findings
    )


def fit_remedy(remedy: Remedy, diagnosis: str, trial: Trial, registry: Registry) -> Remedy:
    """Return a remedy without what the trial has, and with something stronger if it has everything.

    Args:
        remedy: What a diagnosis recommends; one without settings is returned as it is.
        diagnosis: The failure.
        trial: The run that it was found in.
        registry: To see whether a kind of network exists for both players.
    """
    if not remedy.settings:
        return remedy
    settings = {name: value for name, value in remedy.settings.items() if name not in ("points", "images")}
    settings |= remedy.settings.get("images", {})
    settings |= {player: _network(player, settings[player], trial, registry) for player in OTHER if player in settings}
    if "optimizer" in settings:
        settings |= {"optimizer": _optimizer(_ref(settings["optimizer"]), trial)}
    changes = {name: value for name, value in settings.items() if value is not None and not _has(trial, name, value)}
    return replace(remedy, settings=changes or _stronger(diagnosis, trial))


def _network(player: Player, recommended: Any, trial: Trial, registry: Registry) -> Any:
    """The network to give a player; None to leave it its own.

    One of a kind that both players can be of is left alone, unless it is plain and the other player's is not. In place
    of any other, a plain one is right where the other player has such a one; else the counterpart of that.
    """
    other, own = (getattr(trial.components, name) for name in (OTHER[player], player))
    paired = {entry.name for entry in registry.entries(player)} & {
        entry.name for entry in registry.entries(OTHER[player])
    }
    if _ref(recommended).name != PLAIN_NETWORK:
        return recommended
    if own.name in paired - {PLAIN_NETWORK}:
        return None
    if other.name == PLAIN_NETWORK:
        return recommended
    if own.name == other.name or other.name not in paired:
        return None
    return {"name": other.name, "width": other.options["width"]} if "width" in other.options else other.name


def _optimizer(recommended: ComponentRef, trial: Trial) -> Any:
    """The optimizer to give both players; None to leave them theirs.

    Of rates far apart both get the one nearer to what is recommended: a rate of 1e-6 is no better than one of 1e-1. One
    that they share is right for their networks, as far as anyone knows.
    """
    rates = _rates(trial)
    names = {trial.training.optimizer_g.name, trial.training.optimizer_d.name}
    if len(rates) < 2 or names != {recommended.name}:
        return _settings_of(recommended)
    if max(rates) < UNBALANCED * min(rates):
        return None
    usual = float(recommended.options.get("lr", max(rates)))
    lr = min(rates, key=lambda rate: max(rate / usual, usual / rate))
    return {**_settings_of(recommended), "lr": lr}


def _has(trial: Trial, name: str, value: Any) -> bool:
    """Whether a setting is the trial's own."""
    if name == "regularizers":
        own = {ref.name: ref.options.get("weight") for ref in trial.components.regularizers}
        return all(ref.name in own and _at_least(own[ref.name], ref.options.get("weight")) for ref in map(_ref, value))
    if name == "optimizer":
        return all(_is(ref, value) for ref in (trial.training.optimizer_g, trial.training.optimizer_d))
    if name in ("generator", "discriminator", "loss"):
        return _is(getattr(trial.components, name), value)
    return bool(getattr(trial.training, name, None) == value)


def _is(own: ComponentRef, value: Any) -> bool:
    """Whether a component is the one that is recommended, in name and in each option that is stated."""
    stated = _ref(value)
    return own.name == stated.name and all(_plain(own.options.get(k)) == _plain(v) for k, v in stated.options.items())


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _at_least(own: float | None, recommended: float | None) -> bool:
    """Whether a weight is as large as one that is recommended; one that is not stated is the default."""
    return own is None or recommended is None or own >= recommended


def _stronger(diagnosis: str, trial: Trial) -> Mapping[str, Any]:
    """What to change in a run that has everything that is recommended."""
    if diagnosis in PENALIZED and (penalties := trial.components.regularizers):
        return {
            "regularizers": [
                _settings_of(ref) | {"weight": STRONGER_PENALTY * ref.options["weight"]}
                if "weight" in ref.options
                else _settings_of(ref)
                for ref in penalties
            ]
        }
    if diagnosis == Failure.WEAK_DISCRIMINATOR:
        return {"d_steps": trial.training.d_steps + 1}
    slower = trial.training.optimizer_g
    if "lr" not in slower.options:
        return {"d_steps": trial.training.d_steps + 1}
    return {"optimizer": _settings_of(slower) | {"lr": SLOWER * slower.options["lr"]}}


def _rates(trial: Trial) -> Sequence[float]:
    optimizers = (trial.training.optimizer_g, trial.training.optimizer_d)
    return [float(ref.options["lr"]) for ref in optimizers if "lr" in ref.options]


def _ref(value: Any) -> ComponentRef:
    """A component as settings name it."""
    if isinstance(value, Mapping):
        return ComponentRef(str(value["name"]), {name: option for name, option in value.items() if name != "name"})
    return ComponentRef(str(value))


def _settings_of(ref: ComponentRef) -> dict[str, Any]:
    """A component as settings name it, with those options that a remedy is about."""
    return {"name": ref.name} | {name: _plain(ref.options[name]) for name in KEPT_OPTIONS if name in ref.options}
