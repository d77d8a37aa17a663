"""docs/suites.md lists every key of a suite as the code has it: its type, its bounds and its default."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ganbench.contract.records import Evaluation, StopWhen, Training
from ganbench.suite import schema
from ganbench.suite.expand import DEFAULTS, TIMEOUT

PAGE = (Path(__file__).parents[2] / "docs" / "suites.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
TABLES: dict[str, tuple[type, tuple[type, ...]]] = {  # a section, its table, and tables whose keys it does not repeat
    "The top of the file": (schema.SuiteTable, ()),
    "`[training]`": (schema.TrainingTable, ()),
    "`[datasets.NAME]`": (schema.DatasetTable, (schema.TrainingTable,)),
    "`[methods.NAME]`": (schema.MethodTable, (schema.TrainingTable,)),
    "`[grid]`": (schema.GridTable, ()),
    "`[evaluation]`": (schema.EvaluationTable, ()),
    "`[checkpoints]`": (schema.CheckpointsTable, ()),
    "`stop_when`": (StopWhen, ()),
}
COMPONENT = [{"type": "string"}, {"type": "object"}]
WEIGHT = [{"type": "number", "minimum": 0}, {"enum": ["adaptive"]}, {"type": "object"}]
NOUNS = {"string": "text", "boolean": "true or false", "integer": "integer", "number": "number", "object": "table"}


def describe(of: dict[str, Any]) -> str:
    """Return a JSON schema in words: `list of numbers in (0, 1]`."""
    options = [one for one in of.get("anyOf", [of]) if one.get("type") != "null"]
    if len(options) == 3 and all(part in options for part in WEIGHT):
        return 'number ≥ 0, `"adaptive"` or table'
    words = [describe(one) for one in options if one not in COMPONENT] if len(options) > 1 else []
    if all(part in options for part in COMPONENT):
        words.insert(0, "component")
    if words:
        return " or ".join(words) if len(words) > 1 else words[0]
    (only,) = options
    if "enum" in only:
        *first, last = [f'`"{value}"`' for value in only["enum"]]
        return f"{', '.join(first)} or {last}" if first else last
    if "prefixItems" in only:
        return f"{len(only['prefixItems'])} {plural(describe(only['prefixItems'][0]))}"
    if only["type"] == "array":
        return f"list of {plural(describe(only['items']))}"
    if only["type"] == "object" and "additionalProperties" in only:
        return "table of tables"
    return NOUNS[only["type"]] + bounds(only)


def plural(words: str) -> str:
    noun, _, rest = words.partition(" ")
    return f"{noun}s {rest}".strip()


def bounds(of: dict[str, Any]) -> str:
    low = next((key for key in ("minimum", "exclusiveMinimum") if key in of), None)
    high = next((key for key in ("maximum", "exclusiveMaximum") if key in of), None)
    if low and high:
        return f" in {'[' if low == 'minimum' else '('}{of[low]}, {of[high]}{']' if high == 'maximum' else ')'}"
    if low:
        return f" {'≥' if low == 'minimum' else '>'} {of[low]}"
    return ""


def properties(table: type) -> dict[str, dict[str, Any]]:
    described = msgspec.json.schema(table)
    return described["$defs"][table.__name__]["properties"]


def rows(section: str, columns: int) -> list[list[str]]:
    """Return the cells of a section's table, without its head."""
    lines = [line for line in SECTIONS[section].splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells and all(len(row) == columns for row in cells)
    return cells


def default_of(table: type, key: str) -> Any:
    """Return what holds where a suite does not say: the schema's own default, or that of expanded trials."""
    fields = {field.name: field for field in dataclasses.fields(table)}
    field = fields[key]
    if field.default is None and table in (schema.TrainingTable, schema.DatasetTable, schema.MethodTable):
        trained = (
            {field.name: field.default for field in dataclasses.fields(Training)} | DEFAULTS | {"timeout": TIMEOUT}
        )
        default = trained.get(key)
        return default if isinstance(default, int | float | str | tuple) else None
    return field.default_factory() if callable(field.default_factory) else field.default


def check_default(table: type, key: str, shown: str) -> None:
    default = default_of(table, key)
    if default is dataclasses.MISSING:
        assert shown == "required", key
    elif default is None:
        assert shown and not re.fullmatch("`[^`]*`", shown), f"{key} has no default, and {shown} is shown"
    elif default == {}:
        assert shown == "empty", key
    else:
        assert msgspec.json.decode(shown.strip("`")) == msgspec.json.decode(msgspec.json.encode(default)), key


@pytest.mark.parametrize("section", TABLES)
def test_its_keys_types_and_defaults_are_those_of_the_code(section):
    table, elsewhere = TABLES[section]
    wanted = properties(table)
    for other in elsewhere:
        wanted = {key: value for key, value in wanted.items() if key not in properties(other)}
    shown = {row[0].strip("`"): row for row in rows(section, 4)}
    assert sorted(shown) == sorted(wanted)
    for key, (_, kind, default, _) in shown.items():
        assert kind == describe(wanted[key]), key
        check_default(table, key, default)


def test_defaults_of_evaluation_are_those_of_trials():
    assert schema.EvaluationTable() == schema.EvaluationTable(
        list(Evaluation(()).at), Evaluation(()).samples, list(Evaluation(()).expensive_at)
    )
