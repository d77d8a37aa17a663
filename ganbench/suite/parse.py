"""Reads a suite from TOML: checks every table, expands the grid into methods, makes references to components records."""

from __future__ import annotations

import fnmatch
import itertools
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from ..contract.errors import RequestError, did_you_mean
from ..contract.options import Option, check_options, convert, fields_of
from ..contract.records import ComponentRef, Ramp, StopWhen, TermRef, Weight
from ..registry.registry import as_ref
from . import schema

COMPONENT_KEYS = (
    *("generator", "discriminator", "loss", "augmentation"),
    *("update", "optimizer", "optimizer_g", "optimizer_d"),
)


def to_record(key: str, value: Any, where: str) -> Any:
    """Return a setting's value as the record that trials carry. Raises RequestError, its line beginning with `where`."""
    place = f"{where}: {key}"
    if key in COMPONENT_KEYS:
        return as_ref(value, place)
    if key == "terms":
        return tuple(_term(item, place) for item in value)
    if key == "adversarial_weight":
        return _weight(value, place)
    if key == "regularizers":
        return tuple(as_ref(item, place) for item in value)
    if key == "stop_when":
        return _stop_when(value, place)
    return tuple(value) if isinstance(value, list) else value


def _term(value: schema.Ref, where: str) -> TermRef:
    ref = as_ref(value, where)
    options = dict(ref.options)
    place = f"{where}: {ref.name}: weight"
    weight = convert(options.pop("weight", 1.0), schema.Weight, place)
    return TermRef(ref.name, options, _weight(weight, place))


def _weight(value: float | str | Mapping[str, Any], where: str) -> Weight:
    """A weight: a number, "adaptive", or a table as a ramp."""
    if not isinstance(value, Mapping):
        return value if isinstance(value, str) else float(value)
    given = check_options(value, RAMP, where)
    if ("steps" in given) == ("share" in given):
        raise RequestError(f"{where}: give one of 'steps' and 'share'")
    return Ramp(given.get("from", 0.0), given.get("to", 1.0), given.get("steps"), given.get("share"))


RAMP = {
    "from": Option("from", Annotated[float, Meta(ge=0)], 0.0),
    "to": Option("to", Annotated[float, Meta(ge=0)], 1.0),
    "steps": Option("steps", schema.Positive, None),
    "share": Option("share", schema.Share, None),
}


def _stop_when(value: Mapping[str, Any], where: str) -> StopWhen:
    stop = StopWhen(**check_options(value, fields_of(StopWhen), where))
    if (stop.at_least is None) == (stop.at_most is None):
        raise RequestError(f"{where}: give one of 'at_least' and 'at_most'")
    return stop


NEAR = 0.8  # likeness from which a key that is valid elsewhere may be one of this table, misspelt
SHORT_FORMS = ("points", "images")  # kinds of data whose settings may stand in the method's own table
Settings = Mapping[str, Any]  # checked values of a TrainingTable or NetworksTable, those that were set


@dataclass(frozen=True)
class DatasetEntry:
    """A data set of a suite and the training settings that go with it."""

    ref: ComponentRef
    settings: Settings
    methods: tuple[str, ...] = ("*",)  # patterns


@dataclass(frozen=True)
class MethodEntry:
    """A method of a suite: its settings, those that differ by kind of data, and whether it is one of a grid."""

    settings: Settings
    on: Mapping[str, Settings] = field(default_factory=dict)
    of_grid: bool = False

    @property
    def tables(self) -> Iterable[Settings]:
        """Its settings, and those for each kind of data."""
        return (self.settings, *self.on.values())


@dataclass(frozen=True)
class Suite:
    """What to compare. `diagnoses` and `reports` are None for all that are installed."""

    name: str
    summary: str
    seeds: tuple[int, ...]
    datasets: Mapping[str, DatasetEntry]
    methods: Mapping[str, MethodEntry]
    training: Settings
    at: tuple[float, ...]
    samples: int
    expensive_at: tuple[float, ...]
    metrics: tuple[ComponentRef, ...]
    diagnoses: tuple[ComponentRef, ...] | None
    reports: tuple[ComponentRef, ...] | None
    executor: ComponentRef | None
    source: str
    checkpoints: schema.CheckpointsTable = field(default_factory=schema.CheckpointsTable)
    max_minutes: float | None = None
    keep_best: str = ""


def read_suite(path: Path) -> Suite:
    """Read a suite file.

    Raises RequestError if it does not exist, is not TOML, or has an unknown key or a value of the wrong type or out of
    bounds: one line with the place and the nearest valid thing.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        table = tomllib.loads(text)
    except FileNotFoundError:
        raise RequestError(f"there is no suite file {path}") from None
    except OSError as error:
        raise RequestError(f"suite file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise RequestError(f"{path} is not valid TOML: it is not UTF-8 (byte {error.start})") from None
    except ValueError as error:  # TOMLDecodeError, or an integer of thousands of digits
        raise RequestError(f"{path} is not valid TOML: {error}") from None
    except RecursionError:
        raise RequestError(f"{path} is not valid TOML: brackets are nested too deeply") from None
    return parse_suite(table, path)


def parse_suite(table: Mapping[str, Any], path: Path) -> Suite:
    """Return a suite from a decoded TOML table."""
    where = str(path)
    top = schema.SuiteTable(**_check(schema.SuiteTable, table, where))
    evaluation = schema.EvaluationTable(**_check(schema.EvaluationTable, top.evaluation, f"{where}: [evaluation]"))
    methods = _methods(top, where)
    if not methods:
        raise RequestError(f"{where}: no method to train; give [methods.NAME] tables or a [grid]")
    datasets = _datasets(top.datasets, where)
    _check_patterns(datasets, methods, where)
    return Suite(
        name=top.name or path.stem,
        summary=top.summary,
        seeds=_seeds(top.seeds, where),
        datasets=datasets,
        methods=methods,
        training=_settings(schema.TrainingTable, top.training, f"{where}: [training]"),
        at=tuple(sorted(set(evaluation.at))),
        samples=evaluation.samples,
        expensive_at=tuple(sorted(set(evaluation.expensive_at))),
        metrics=tuple(as_ref(value, f"{where}: metrics") for value in top.metrics),
        diagnoses=_names(top.diagnoses, f"{where}: diagnoses"),
        reports=_names(top.reports, f"{where}: reports"),
        executor=as_ref(top.executor, f"{where}: executor") if top.executor else None,
        source=where,
        checkpoints=schema.CheckpointsTable(
            **_check(schema.CheckpointsTable, top.checkpoints, f"{where}: [checkpoints]")
        ),
        max_minutes=top.max_minutes,
        keep_best=evaluation.keep_best,
    )


def parse_method(table: Mapping[str, Any], where: str) -> MethodEntry:
    """Return a method from its table. Raises RequestError, its line beginning with `where`."""
    settings = dict(_settings(schema.MethodTable, table, where))
    on = {
        kind: _settings(schema.NetworksTable, given, f"{where.removesuffix(']')}.on.{kind}]")
        for kind, given in settings.pop("on", {}).items()
    }
    for kind in SHORT_FORMS:
        given = settings.pop(kind, None)
        if given is not None and kind in on:
            raise RequestError(f"{where}: {kind!r} and 'on.{kind}' are the same: give one of them")
        if given is not None:
            on[kind] = _settings(schema.NetworksTable, given, f"{where.removesuffix(']')}.{kind}]")
    return MethodEntry(settings, on)


def override_suite(suite: Suite, *, seeds: int | None = None, steps: int | None = None) -> Suite:
    """Return the suite with its first `seeds` seeds, further ones counted up, and a budget of `steps` for every trial.

    Raises RequestError for numbers out of bounds.
    """
    if seeds is not None:
        if not 1 <= seeds <= schema.MAX_SEEDS:
            raise RequestError(f"--seeds {seeds}: give a number from 1 to {schema.MAX_SEEDS}")
        more = itertools.count(max(suite.seeds) + 1)
        known = suite.seeds[:seeds]
        suite = replace(suite, seeds=known + tuple(next(more) for _ in range(seeds - len(known))))
    if steps is not None:
        if steps < 1:
            raise RequestError(f"--steps {steps}: give a number above 0")
        suite = replace(
            suite,
            training={**suite.training, "steps": steps},
            datasets={k: replace(d, settings=_without_steps(d.settings)) for k, d in suite.datasets.items()},
            methods={
                k: MethodEntry(_without_steps(m.settings), {kind: _without_steps(t) for kind, t in m.on.items()})
                for k, m in suite.methods.items()
            },
        )
    return suite


def _without_steps(settings: Settings) -> Settings:
    return {key: value for key, value in settings.items() if key != "steps"}


def _seeds(seeds: int | list[int], where: str) -> tuple[int, ...]:
    if isinstance(seeds, int):
        return tuple(range(seeds))
    if len(set(seeds)) < len(seeds):
        raise RequestError(f"{where}: seeds = {seeds}: a seed is listed twice")
    return tuple(seeds)


def _datasets(given: list[str] | dict[str, dict[str, Any]], where: str) -> dict[str, DatasetEntry]:
    named = given if isinstance(given, dict) else {name: {} for name in given}
    if not named:
        raise RequestError(f"{where}: [datasets] lists none")
    if len(named) < len(given):
        raise RequestError(f"{where}: datasets = {given}: one is listed twice")
    entries = {}
    for label, table in named.items():
        place = f"{where}: [datasets.{label}]"
        settings = dict(_settings(schema.DatasetTable, table, place))
        ref = as_ref(settings.pop("dataset", label), place)
        patterns = settings.pop("methods", ("*",))
        entries[label] = DatasetEntry(ref, settings, tuple(patterns))
    return entries


def _check_patterns(datasets: Mapping[str, DatasetEntry], methods: Iterable[str], where: str) -> None:
    for label, entry in datasets.items():
        for pattern in entry.methods:
            if not fnmatch.filter(methods, pattern):
                raise RequestError(
                    f"{where}: [datasets.{label}]: methods: {pattern!r} matches no method; {did_you_mean(pattern, methods)}"
                )


def _methods(top: schema.SuiteTable, where: str) -> dict[str, MethodEntry]:
    methods = {}
    for label, table in top.methods.items():
        methods[label] = parse_method(table, f"{where}: [methods.{label}]")
    if top.grid is not None:
        methods |= _grid_methods(schema.GridTable(**_check(schema.GridTable, top.grid, f"{where}: [grid]")), where)
    return methods


def _grid_methods(grid: schema.GridTable, where: str) -> dict[str, MethodEntry]:
    """The product of components, each method named after its parts."""
    place = f"{where}: [grid]"
    n = math.prod(len(parts) for parts in (grid.generators, grid.discriminators, grid.losses, grid.regularizers))
    if n > schema.MAX_METHODS:
        raise RequestError(f"{place}: {n} methods, and at most {schema.MAX_METHODS} can be compared; list fewer parts")
    methods = {}
    for g, d, loss, regularizers in itertools.product(
        grid.generators, grid.discriminators, grid.losses, grid.regularizers
    ):
        tail = tuple(as_ref(r, place) for r in regularizers)
        settings: dict[str, Any] = {
            "generator": as_ref(g, place),
            "discriminator": as_ref(d, place),
            "loss": as_ref(loss, place),
            "regularizers": tail,
        }
        parts = [
            settings["generator"],
            settings["discriminator"],
            settings["loss"],
            *settings["regularizers"],
        ]
        label = "+".join(_label(part) for part in parts)
        if label in methods:
            raise RequestError(f"{place}: {label} is listed twice")
        methods[label] = MethodEntry(settings, of_grid=True)
    return methods


def _label(ref: ComponentRef) -> str:
    options = ",".join(f"{key}={value}" for key, value in ref.options.items())
    return f"{ref.name}({options})" if options else ref.name


def _settings(table_type: type, table: Mapping[str, Any], where: str) -> Settings:
    """The settings of a table, checked: references as records, `optimizer` as that of both players."""
    checked = _check(table_type, table, where)
    settings = {key: to_record(key, value, where) for key, value in checked.items() if value is not None}
    if both := settings.pop("optimizer", None):
        settings = {"optimizer_g": both, "optimizer_d": both} | settings
    return settings


def _names(value: Any, where: str) -> tuple[ComponentRef, ...] | None:
    return None if value == "all" else tuple(as_ref(item, where) for item in value)


def _check(table_type: type, table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a table, checked. Raises RequestError; for a key that is valid in another table it names that."""
    allowed = fields_of(table_type)
    for key in table:
        if key not in allowed and (places := schema.places_of(key)):
            meant = get_close_matches(key, allowed, n=1, cutoff=NEAR)
            near = f"did you mean {meant[0]!r}? {key!r} belongs" if meant else "it belongs"
            raise RequestError(f"{where}: unknown key {key!r} here; {near} {' or '.join(places)}")
    return check_options(table, allowed, where)
