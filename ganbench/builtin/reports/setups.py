"""Say what was compared: what each method consists of, and what all methods share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ganbench

from .numbers import MISSING, parse_float
from .rankings import distinct, to_records

ALWAYS_BY_METHOD = ("loss", "generator", "discriminator", "regularizers")
ORDER = (
    *ALWAYS_BY_METHOD,
    "optimizer",
    "optimizer of G",
    "optimizer of D",
    "batch size",
    "budget",
    "steps",
    "images",
    "D steps",
)
NAMES = {"d_steps": "D steps", "g_steps": "G steps", "d_warmup": "D warm-up", "lr_decay": "decay", "ema": "EMA"}
# Settings that nobody asks for where they have these values: nothing happens.
UNTOLD = {
    ("d_warmup", "0"),
    ("g_steps", "1"),
    ("accumulate", "1"),
    ("clip", "0"),
    ("channels_last", "False"),
    ("capture", "auto"),
    ("ema", "0"),
    ("update", "alternating"),
    ("adversarial_weight", "1"),
    ("adversarial_from", "0"),
    ("d_from", "0"),
}
# Columns of trials.csv that say how a trial ended or where it ran, not what it is.
NOT_SETTINGS = {
    *("suite", "trial", "dataset", "method", "seed", "status", "reason", "verdicts", "failed", "train_seconds"),
    *("seconds", "device", "threads", "left_out", "versions", "commit", "parameters_g", "parameters_d", "times_floor"),
    "captured",
}
ALWAYS_TOLD = (".lr", ".betas", ".weight")  # options that readers ask for, whether they differ or not
MAX_CELL_CHARS = 200


@dataclass(frozen=True)
class MethodSetup:
    """A row of the table of what was compared: a method, and a text for each column."""

    method: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Setup:
    """What was compared.

    Attributes:
        columns: Names of the settings in which methods differ, and of those that make a method.
        rows: A row for each method.
        shared: Name and value of the settings that are the same for all.
    """

    columns: tuple[str, ...]
    rows: tuple[MethodSetup, ...]
    shared: tuple[tuple[str, str], ...]


def describe_setup(comparison: ganbench.Comparison, methods: Sequence[str]) -> Setup:
    """Return what each method consists of, as far as the comparison says it.

    Args:
        comparison: The comparison.
        methods: The methods to describe, in the order of rows.
    """
    trials: dict[str, list[dict[str, Any]]] = {method: [] for method in methods}
    for trial in to_records(comparison.trials):
        if str(trial["method"]) in trials:
            trials[str(trial["method"])].append(trial)
    tell = _differing_options(comparison)
    described = {method: _describe_method(comparison, of_method, tell) for method, of_method in trials.items()}
    names = sorted(
        dict.fromkeys(name for texts in described.values() for name in texts),
        key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER),
    )
    columns: list[str] = []
    shared: list[tuple[str, str]] = []
    for name in names:
        texts = {described[method].get(name, MISSING) for method in methods}
        if name not in ALWAYS_BY_METHOD and len(texts) == 1:
            shared.append((name, next(iter(texts))))
        elif texts != {MISSING}:
            columns.append(name)
    rows = [MethodSetup(method, tuple(described[method].get(name, MISSING) for name in columns)) for method in methods]
    return Setup(tuple(columns), tuple(rows), tuple(shared))


def _differing_options(comparison: ganbench.Comparison) -> set[str]:
    """Return the options of components to tell: those that differ between trials, and those that are always told."""
    pairs = {(trial["dataset"], trial["method"]): trial["trial"] for trial in to_records(comparison.trials)}
    settings = [dict(comparison.settings(trial)) for trial in pairs.values()]
    names = {name for of_trial in settings for name in of_trial} | set(map(str, comparison.trials.columns))
    return {
        name
        for name in names
        if name.endswith(ALWAYS_TOLD) or len({str(of_trial.get(name)) for of_trial in settings}) != 1
    }


def _describe_method(
    comparison: ganbench.Comparison, trials: Iterable[Mapping[str, Any]], tell: set[str]
) -> dict[str, str]:
    """Return a method's settings as texts; those that differ between data sets say where: `mlp (ring), conv (digits)`."""
    by_dataset: dict[str, list[Mapping[str, Any]]] = {}
    for trial in trials:
        by_dataset.setdefault(str(trial["dataset"]), []).append(trial)
    of_datasets = {dataset: _describe_trials(comparison, on_it, tell) for dataset, on_it in by_dataset.items()}
    return {
        name: _join({dataset: texts.get(name, MISSING) for dataset, texts in of_datasets.items()})
        for name in dict.fromkeys(name for texts in of_datasets.values() for name in texts)
    }


def _join(texts: Mapping[str, str]) -> str:
    datasets: dict[str, list[str]] = {}
    for dataset, text in texts.items():
        datasets.setdefault(text, []).append(dataset)
    if len(datasets) == 1:
        return _shorten(next(iter(datasets)))
    return _shorten(", ".join(f"{text} ({', '.join(names)})" for text, names in datasets.items()))


def _describe_trials(
    comparison: ganbench.Comparison, trials: Sequence[Mapping[str, Any]], tell: set[str]
) -> dict[str, str]:
    """Return the settings of a method on one data set as texts by name."""
    settings = dict(comparison.settings(trials[0]["trial"]))
    names = [*ALWAYS_BY_METHOD, *(() if settings else (name for name in trials[0] if name not in NOT_SETTINGS))]
    for name in names:
        settings.setdefault(str(name), _value_of([trial.get(name) for trial in trials]))
    counts = {player: _value_of([trial.get(f"parameters_{player.lower()}") for trial in trials]) for player in "GD"}
    settings["parameters"] = ", ".join(f"{player} {_format_size(n)}" for player, n in counts.items() if n is not None)
    if "budget" in settings:  # steps are those that were done
        settings.pop("steps", None)
        settings.pop("images", None)  # follows from budget, batch and steps of D
    texts = {
        "loss": _component("loss", settings, tell),
        "generator": _component("generator", settings, tell),
        "discriminator": _component("discriminator", settings, tell),
        "regularizers": _regularizers(settings, tell),
    }
    of_g, of_d = (_component(name, settings, tell) for name in ("optimizer_g", "optimizer_d"))
    if of_g == of_d:
        texts["optimizer"] = of_g
    else:
        texts |= {"optimizer of G": of_g, "optimizer of D": of_d}
    texts |= {name: _format(value) for name, value in settings.items() if "." not in name}
    return {
        NAMES.get(name, name.replace("_", " ")): text
        for name, text in texts.items()
        if text != MISSING and (name, text) not in UNTOLD
    }


def _component(prefix: str, settings: dict[str, Any], tell: set[str]) -> str:
    """Take a component and its options out of the settings: `adam (lr 0.001, betas [0.5,0.99])`."""
    name = settings.pop(prefix, None)
    keys = sorted(
        (key for key in settings if key.startswith(f"{prefix}.")), key=lambda key: (not key.endswith(".lr"), key)
    )
    values = {key: settings.pop(key) for key in keys}
    options = [
        f"{key.partition('.')[2].replace('_', ' ')} {_format(value)}"
        for key, value in values.items()
        if key in tell and value is not None
    ]
    if name is None or name == "":
        return MISSING
    return f"{name} ({', '.join(options)})" if options else str(name)


def _regularizers(settings: dict[str, Any], tell: set[str]) -> str:
    """Take the regularizers and their options out of the settings: `r1 (weight 0.1), r2 (weight 0.1)`."""
    names = [name for name in str(settings.pop("regularizers", None) or "").split(";") if name]
    texts = []
    for name in names:
        settings[name] = name
        texts.append(_component(name, settings, tell))
    return ", ".join(texts) or MISSING


def _value_of(values: Sequence[Any]) -> Any:
    """Return the value of a setting over seeds; of numbers the largest: a run that was lost made fewer steps."""
    known = [value for value in values if value is not None and value != ""]
    if not known:
        return None
    numbers = [parse_float(value) for value in known if not isinstance(value, str | bool)]
    present = [number for number in numbers if number is not None]
    return max(present) if len(present) == len(known) else " / ".join(distinct(known))


def _format(value: Any) -> str:
    if value is None or value == "":
        return MISSING
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,.10g}"
    return ", ".join(part.strip() for part in str(value).split(",")) if str(value).startswith("[") else str(value)


def _format_size(n: float) -> str:
    """Format a number of parameters: `850`, `17k`, `1.2M`; trials.csv has it exactly."""
    if n < 10_000:
        return f"{n:,.0f}"
    return f"{n / 1000:,.0f}k" if n < 1e6 else f"{n / 1e6:,.1f}M"


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_CELL_CHARS else f"{text[: MAX_CELL_CHARS - 1]}…"
