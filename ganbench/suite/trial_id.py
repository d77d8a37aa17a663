"""What a trial is called: a digest of everything that decides its result, and of nothing else.

A field counts only where it differs from the frozen table of defaults below. So a field that is new, and has its
default, changes no id; nor does an installed plugin with one more diagnosis, since observing a run changes nothing of
its result. Results that are stored under an id are found again for as long as the table stays as it is.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from ..contract.records import Trial

SCHEMA = 2  # of trial.json and of ids; 1 had every field in the digest, the diagnoses included

# Defaults as they were when schema 2 began. A change of a default in the code must not be made here too: the trials
# that rely on the new value are other trials. A new field needs no entry: its own default is taken.
FROZEN_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "data": {"value_range": None, "classes": 0, "modes": 0},
    "components": {"regularizers": []},
    "training": {
        "d_steps": 1,
        "g_steps": 1,
        "d_warmup": 0,
        "lr_decay": "constant",
        "ema": 0.0,
        "stop_when": None,
        "stop_on": [],
        "observations": 60,
    },
    "evaluation": {"at": [0.25, 0.5, 0.75, 1.0], "samples": 2500},
}


def trial_id(trial: Trial) -> str:
    """Return the id of a trial: its data set, method and seed, to be read, then ten hexadecimal digits."""
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "dataset": trial.dataset,
        "method": trial.method,
        "seed": trial.seed,
        "device": trial.device.partition(":")[0],
    }
    for name, frozen in FROZEN_DEFAULTS.items():
        content[name] = _deciding_fields(getattr(trial, name), frozen)
    stopping = [ref for ref in trial.diagnoses if ref.name in trial.training.stop_on]
    if stopping:  # these alone may change a result: by ending it
        content["diagnoses"] = msgspec.to_builtins(stopping)
    digest = hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()[:10]
    words = re.sub(r"[^A-Za-z0-9.]+", "-", f"{trial.dataset}-{trial.method}").strip("-")
    return f"{words[:80]}-{trial.seed}-{digest}"


def decides_result(trial: Trial, part: str) -> bool:
    """Return whether a part of a trial, written as `"kind name"`, decides its result: all do but most diagnoses."""
    kind, _, name = part.partition(" ")
    return kind != "diagnosis" or name in trial.training.stop_on


def _deciding_fields(value: Any, frozen: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """A record as plain data, without the fields that have their frozen default or, of newer fields, their own."""
    if isinstance(value, list | tuple):
        return [_deciding_fields(item) for item in value]
    if not dataclasses.is_dataclass(value):
        return msgspec.to_builtins(value)
    fields = {field.name: field for field in dataclasses.fields(value)}
    defaults = {name: _default(field) for name, field in fields.items()} | dict(frozen)
    return {
        name: _deciding_fields(getattr(value, name))
        for name in fields
        if msgspec.to_builtins(getattr(value, name)) != defaults[name]
    }


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return msgspec.to_builtins(field.default_factory())
    return field.default if field.default is dataclasses.MISSING else msgspec.to_builtins(field.default)
