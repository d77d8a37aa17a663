"""What a suite's tables name, as the records that trials carry: components, optimizers, targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ..catalog import as_ref
from ..errors import RequestError, did_you_mean
from ..options import check_options, fields_of
from ..records import ComponentRef, StopWhen
from . import tables


def as_record(key: str, value: Any, where: str) -> Any:
    """The value of a setting as the record that trials carry. Raises RequestError, its line beginning with `where`."""
    place = f"{where}: {key}"
    if key in ("generator", "discriminator", "loss"):
        return as_ref(value, place)
    if key == "regularizers":
        return tuple(as_ref(item, place) for item in value)
    if key in ("optimizer", "optimizer_g", "optimizer_d"):
        return _optimizer(value, place)
    if key == "stop_when":
        return _stop_when(value, place)
    return tuple(value) if isinstance(value, list) else value


def _optimizer(value: tables.Ref, where: str) -> ComponentRef:
    """The optimizer with all its options spelled out, so that a stored trial states them."""
    ref = as_ref(value, where)
    if ref.name not in tables.OPTIMIZERS:
        raise RequestError(f"{where}: no optimizer is called {ref.name!r}; {did_you_mean(ref.name, tables.OPTIMIZERS)}")
    table = tables.OPTIMIZERS[ref.name]
    options = table(**check_options(ref.options, fields_of(table), f"{where}: {ref.name}"))
    values = {f.name: getattr(options, f.name) for f in fields(options)}
    return ComponentRef(ref.name, {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()})  # as JSON


def _stop_when(value: Mapping[str, Any], where: str) -> StopWhen:
    stop = StopWhen(**check_options(value, fields_of(StopWhen), where))
    if (stop.at_least is None) == (stop.at_most is None):
        raise RequestError(f"{where}: give one of 'at_least' and 'at_most'")
    return stop
