"""Checks named values against an annotated signature: the one check behind suites and options."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from .errors import RequestError, did_you_mean
from .records import Part

REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True)
class Option:
    """A value that may be set: its annotated type and its default (`REQUIRED` where it has none)."""

    name: str
    type: Any
    default: Any

    @property
    def part(self) -> str | None:
        """The kind of component that the option names; None if it names none."""
        marks = getattr(self.type, "__metadata__", ())
        return next((mark.kind for mark in marks if isinstance(mark, Part)), None)


def options_of(build: Callable[..., Any]) -> dict[str, Option]:
    """Return the keyword-only parameters of a component's `build`, by name."""
    parameters = inspect.signature(build).parameters.values()
    hints = _annotations(build)
    return {
        p.name: Option(p.name, hints.get(p.name, Any), p.default)
        for p in parameters
        if p.kind is inspect.Parameter.KEYWORD_ONLY
    }


def fields_of(record: type) -> dict[str, Option]:
    """Return the fields of a dataclass as options, by name."""
    hints = typing.get_type_hints(record, include_extras=True)
    return {f.name: Option(f.name, hints[f.name], _default(f)) for f in dataclasses.fields(record)}


def check_options(given: Mapping[str, Any], allowed: Mapping[str, Option], where: str) -> dict[str, Any]:
    """Return `given`, converted to the annotated types.

    Raises RequestError at the first unknown name, wrong type or missing value; its line begins with `where`.
    """
    for name in given:
        if name not in allowed:
            raise RequestError(f"{where}: unknown key {name!r}; {did_you_mean(name, allowed)}")
    for option in allowed.values():
        if option.default is REQUIRED and option.name not in given:
            raise RequestError(f"{where}: {option.name!r} is missing")
    return {name: convert(value, _type_in_suite(allowed[name]), f"{where}: {name}") for name, value in given.items()}


def convert(value: Any, type_: Any, where: str) -> Any:
    """Return `value` as `type_`. Integers serve as floats and lists as tuples; nothing else is converted."""
    try:
        return msgspec.convert(value, type_, strict=True)
    except msgspec.ValidationError as error:
        message = str(error).replace("`", "").replace(" - at $", ", at ")
        message = message[0].lower() + message[1:]
        raise RequestError(f"{where} = {format_value(value)}: {message}") from None


def format_value(value: Any) -> str:
    """Format a value as TOML does, shortened to at most 60 characters."""
    text = str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _type_in_suite(option: Option) -> Any:
    """The type of an option as a suite gives it, where a component is a name or a table."""
    return str | dict[str, Any] if option.part else option.type


def _annotations(build: Callable[..., Any]) -> dict[str, Any]:
    """Annotations of a function or of a class's `__init__`, with forward references resolved."""
    function = build.__init__ if inspect.isclass(build) else build
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError):  # a name that is imported for type checkers only: the other options are checked
        raw = getattr(function, "__annotations__", {})
        return {name: hint for name, hint in raw.items() if not isinstance(hint, str)}


def _default(f: dataclasses.Field[Any]) -> Any:
    if f.default is not dataclasses.MISSING:
        return f.default
    return REQUIRED if f.default_factory is dataclasses.MISSING else f.default_factory()
