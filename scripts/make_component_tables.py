"""Writes the tables of docs/components.md from the components that ship: `python scripts/make_component_tables.py`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from ganbench.contract.hooks import HOOKS
from ganbench.contract.options import REQUIRED, Option, format_value
from ganbench.registry.plugins import BUILTINS
from ganbench.registry.registry import Registration, load_registry

PAGE = Path(__file__).parents[1] / "docs" / "components.md"
END = "<!-- end -->"
ENDS = (("gt", "ge"), ("lt", "le"))  # what a bound is called in an annotation, low and high


def fill(page: str) -> str:
    """Return the page with the tables of every kind rewritten."""
    registry = load_registry()
    for kind in HOOKS:
        begin = f"<!-- {kind} -->"
        entries = [e for e in registry.entries(kind) if e.plugin in BUILTINS and e.component.listed]
        before, rest = page.split(begin)
        page = f"{before}{begin}\n{_tables(entries)}\n{END}{rest.partition(END)[2]}"
    return page


def _tables(entries: list[Registration]) -> str:
    lines = ["| name | what it is |", "|---|---|"]
    lines += [f"| `{entry.name}` | {_cell(entry.described().summary)} |" for entry in entries]
    options = list(_options(entries))
    if options:
        lines += ["", "| option | of | type | default | meaning |", "|---|---|---|---|---|", *options]
    return "\n".join(lines)


def _options(entries: list[Registration]) -> Iterator[str]:
    """Yield a row for each option; components that have it alike share one."""
    known: dict[tuple[str, str, str], str] = {}  # what is said of an option once holds where a component says nothing
    for entry in entries:
        for option in entry.options.values():
            if meaning := _meaning(entry, option.name):
                known.setdefault(_describe(option), meaning)
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    for entry in entries:
        for option in entry.options.values():
            described = _describe(option)
            meaning = _meaning(entry, option.name) or known.get(described, "")
            rows.setdefault((*described, meaning), []).append(f"`{entry.name}`")
    for (name, kind, default, meaning), of in rows.items():
        yield f"| `{name}` | {', '.join(of)} | {_cell(kind)} | {_cell(default)} | {_cell(meaning)} |"


def _describe(option: Option) -> tuple[str, str, str]:
    """Return an option's name, its type and its default."""
    if option.default is REQUIRED:
        default = "required"
    else:
        default = "unset" if option.default is None else f"`{format_value(option.default)}`"
    return option.name, option.part or _type(option.type), default


def _meaning(entry: Registration, option: str) -> str:
    """Return what the docstring of a component, or of what it inherits from, says of an option; empty if nothing."""
    build = entry.build
    described = [build, *(build.__mro__ if inspect.isclass(build) else ())]
    for one in described:
        text = inspect.cleandoc(one.__doc__ or "")
        found = re.search(rf"^ +{option}: (.+?)(?=^ *\w+: |^\S|\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
        if found:
            return " ".join(found[1].split())
    return ""


def _type(hint: Any) -> str:
    """Return a type as a suite's author reads it: `int ≥ 1`, `float`, one of some texts."""
    if get_origin(hint) is Annotated:
        base, *marks = get_args(hint)
        return _type(base) + "".join(map(_bounds, marks))
    if get_origin(hint) is tuple and ... not in get_args(hint):
        return " and ".join(_type(one) for one in get_args(hint))
    if get_origin(hint) is Literal:
        return " or ".join(f'`"{value}"`' for value in get_args(hint))
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_type(one) for one in get_args(hint) if one is not type(None))
    return str(getattr(hint, "__name__", hint))


def _bounds(mark: Any) -> str:
    """Return the bounds of an annotated number: ` ≥ 1`, ` in [0, 1)`."""
    low, high = (next((getattr(mark, n) for n in names if getattr(mark, n, None) is not None), None) for names in ENDS)
    if low is not None and high is not None:
        return f" in {'(' if mark.ge is None else '['}{low}, {high}{')' if mark.le is None else ']'}"
    if low is not None:
        return f" {'>' if mark.ge is None else '≥'} {low}"
    return "" if high is None else f" {'<' if mark.le is None else '≤'} {high}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
