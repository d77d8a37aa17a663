"""Reads what `ganbench list` shows of a component from its source, without importing it: torch alone takes seconds.

Only for components that are given as "module:name" in modules of our own: of anybody else's, importing also tells whether
it can be imported.
"""

from __future__ import annotations

import ast
import builtins
import collections.abc
import functools
import importlib
import importlib.util
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..contract.options import REQUIRED, Option


class Unreadable(Exception):
    """Source that says less than the imported object would."""


def summary_of(path: str) -> str:
    """Return the first line of the docstring of "module:name". Raises Unreadable."""
    module, _, name = path.partition(":")
    return (ast.get_docstring(_definition(module, name)) or "").partition("\n")[0]


def options_of_source(path: str) -> dict[str, Option]:
    """Return the keyword-only parameters of "module:name", as `options_of` of the imported one. Raises Unreadable."""
    module, _, name = path.partition(":")
    where, function = _function(module, name)
    if function is None:
        return {}
    options = {}
    for argument, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
        type_ = Any if argument.annotation is None else _evaluate(argument.annotation, where)
        options[argument.arg] = Option(argument.arg, type_, REQUIRED if default is None else _evaluate(default, where))
    return options


@functools.cache
def _parse(module: str) -> ast.Module:
    spec = importlib.util.find_spec(module)  # imports the packages around it, which name things only
    if spec is None or spec.origin is None:
        raise Unreadable(module)
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


def _definition(module: str, name: str) -> ast.ClassDef | ast.FunctionDef:
    for node in _parse(module).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return node
    raise Unreadable(f"{module}:{name}")


def _function(module: str, name: str) -> tuple[str, ast.FunctionDef | None]:
    """The function that takes the options, and the module that defines it; None for an `__init__` without options."""
    node = _definition(module, name)
    if isinstance(node, ast.FunctionDef):
        return module, node
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and member.name == "__init__":
            return module, member
    for base in node.bases:
        if isinstance(base, ast.Name):  # of this module, or imported into it; one of a library takes no options
            return _function(*_origin(module, base.id))
    return module, None


def _origin(module: str, name: str) -> tuple[str, str]:
    """The module in which a name of `module` is defined, and its name there."""
    for node in _parse(module).body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    parent = module.rsplit(".", node.level)[0] if node.level else ""
                    return ".".join(filter(None, [parent, node.module])), alias.name
    return module, name


def _evaluate(node: ast.expr, module: str) -> Any:
    """The value of an annotation or a default, made of literals, types, and names that the module gives to such."""
    try:
        return eval(compile(ast.Expression(node), module, "eval"), {}, _Names(module))  # our own source
    except Exception as error:
        raise Unreadable(f"{module}: {ast.unparse(node)}") from error


class _Names(Mapping[str, Any]):
    """The names of a module that annotations and defaults of its components use."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getitem__(self, name: str) -> Any:
        for known in (typing, collections.abc, builtins):
            if hasattr(known, name):
                return getattr(known, name)
        if name in ("ganbench", "msgspec"):  # imported already
            return importlib.import_module(name)
        module, name = _origin(self._module, name)
        for node in _parse(module).body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                assert isinstance(node, ast.Assign)
                return _evaluate(node.value, module)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0
